add_executable(host-client-tool host_client_tool.c)
target_link_libraries(host-client-tool PRIVATE hotdesk-host-client)
