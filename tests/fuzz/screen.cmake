fuzz_target(display1 hotdesk-screen-core)
