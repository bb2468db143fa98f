# The store, the table of commands and their server: libraries for hotdesk-broker, the CLI and the unit tests.
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.37)

add_library(hotdesk-rows STATIC store_rows.c)
target_link_libraries(hotdesk-rows PUBLIC hotdesk-common)

add_library(hotdesk-store STATIC store.c store_desktop.c store_pool.c store_schema.c store_session.c)
target_link_libraries(hotdesk-store PUBLIC hotdesk-common hotdesk-rows PkgConfig::SQLITE)

pkg_check_modules(JSONC REQUIRED IMPORTED_TARGET json-c)

# Pure: the CLI links it too.
add_library(hotdesk-admin-table STATIC admin_parse.c admin_table.c admin_usage.c pool_keys.c)
target_link_libraries(hotdesk-admin-table PUBLIC hotdesk-common hotdesk-rows PkgConfig::JSONC)

pkg_check_modules(XKBCOMMON REQUIRED IMPORTED_TARGET xkbcommon)

# Whether another program serves: for the CLI too.
add_library(hotdesk-admin-probe STATIC admin_probe.c)
target_link_libraries(hotdesk-admin-probe PUBLIC hotdesk-common)

# The admin socket's server; struct broker comes from hotdesk-broker through control.h.
add_library(hotdesk-admin STATIC admin.c admin_desktop.c admin_image.c admin_image_change.c admin_image_file.c
	admin_image_prune.c admin_pool.c admin_pool_members.c admin_status.c pool_keyboard.c)
target_link_libraries(hotdesk-admin PUBLIC hotdesk-admin-probe hotdesk-admin-table hotdesk-store hotdesk-bus PkgConfig::XKBCOMMON)
