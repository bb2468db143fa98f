add_executable(screen-tool screen_tool.c screen_tool_clipboard.c screen_tool_display.c)
target_link_libraries(screen-tool PRIVATE fake-lines hotdesk-screen-core)
