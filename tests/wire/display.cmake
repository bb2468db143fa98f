add_executable(display-peer display_peer.c)
target_link_libraries(display-peer PRIVATE fake-display)
