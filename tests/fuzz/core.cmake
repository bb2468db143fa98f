fuzz_target(conf hotdesk-common)
fuzz_target(vdagent hotdesk-common)
