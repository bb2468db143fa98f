add_executable(auth-client-tool auth_client_tool.c)
target_link_libraries(auth-client-tool PRIVATE hotdesk-auth-client)
