unit_test(store hotdesk-store)
unit_test(admin_table hotdesk-admin-table)
unit_test(pool_keys hotdesk-admin-table)
unit_test(cli hotdesk-cli-core)
