add_executable(auth-client-tool auth_client_tool.c)
target_link_libraries(auth-client-tool PRIVATE hotdesk-auth-client)

add_library(pam-record MODULE pam_record.c)
set_target_properties(pam-record PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
