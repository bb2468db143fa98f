fuzz_target(agent hotdesk-agent-core)
