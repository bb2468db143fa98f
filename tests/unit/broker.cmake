unit_test(assign hotdesk-broker-pure)
unit_test(report hotdesk-broker-pure)

unit_test(broker hotdesk-broker-core)
target_sources(unit-broker PRIVATE broker_world.c broker_fake_host.c broker_fake_spawn.c)

unit_test(broker_guest hotdesk-broker-core)
target_sources(unit-broker_guest PRIVATE broker_world.c broker_fake_host.c broker_fake_spawn.c)

unit_test(broker_disk hotdesk-broker-core)
target_sources(unit-broker_disk PRIVATE broker_world.c broker_fake_host.c broker_fake_spawn.c)

unit_test(broker_clipboard hotdesk-broker-core)
target_sources(unit-broker_clipboard PRIVATE broker_world.c broker_fake_host.c broker_fake_spawn.c)

unit_test(broker_sound hotdesk-broker-core)
target_sources(unit-broker_sound PRIVATE broker_world.c broker_fake_host.c broker_fake_spawn.c)
