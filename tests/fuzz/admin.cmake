fuzz_target(admin hotdesk-admin-table)
