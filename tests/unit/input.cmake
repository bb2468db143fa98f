unit_test(input hotdesk-screen-core)
