unit_test(attempt hotdesk-auth-core)
unit_test(auth_client hotdesk-auth-client)
