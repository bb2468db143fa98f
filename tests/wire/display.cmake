add_executable(display-peer display_peer.c display_peer_clipboard.c)
target_link_libraries(display-peer PRIVATE fake-display hotdesk-display1)
