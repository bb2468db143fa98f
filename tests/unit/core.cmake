unit_test(spawn hotdesk-spawn-core)
target_compile_definitions(unit-spawn PRIVATE SPAWN_BINARY="$<TARGET_FILE:hotdesk-spawn>")
add_dependencies(unit-spawn hotdesk-spawn)
