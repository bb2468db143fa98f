unit_test(assign hotdesk-broker-pure)
unit_test(report hotdesk-broker-pure)
