fuzz_target(conf hotdesk-common)
