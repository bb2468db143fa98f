unit_test(region hotdesk-screen-core)
unit_test(framebuffer hotdesk-screen-core)
