unit_test(assign hotdesk-broker-pure)
