fuzz_target(qmp hotdesk-host-pure)
fuzz_target(qcow2 hotdesk-host-pure)
fuzz_target(host-agent hotdesk-host-pure)
