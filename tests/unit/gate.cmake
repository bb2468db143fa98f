unit_test(gate_handshake hotdesk-gate-core)
unit_test(gate_waiting hotdesk-gate-core)
unit_test(gate_certificate hotdesk-gate-core)
unit_test(gate_relay hotdesk-gate-core Threads::Threads)
