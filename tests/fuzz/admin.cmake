fuzz_target(admin hotdesk-admin-table)
fuzz_target(recipe hotdesk-cli-core)
