unit_test(attempt hotdesk-auth-core)
