unit_test(store hotdesk-store)
