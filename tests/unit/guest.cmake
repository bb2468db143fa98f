unit_test(agent_codec hotdesk-agent-core)
unit_test(agent_link hotdesk-agent-core)
