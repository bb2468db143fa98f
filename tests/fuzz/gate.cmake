fuzz_target(handshake hotdesk-gate-core)
