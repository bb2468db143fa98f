unit_test(starter hotdesk-bus)
target_sources(unit-starter PRIVATE ${CMAKE_SOURCE_DIR}/packaging/starter/program.c)
