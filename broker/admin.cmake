# The store, the table of commands and their server: libraries for hotdesk-broker, the CLI and the unit tests.
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.37)

add_library(hotdesk-store STATIC store.c store_desktop.c store_pool.c store_rows.c store_schema.c store_session.c)
target_link_libraries(hotdesk-store PUBLIC hotdesk-common PkgConfig::SQLITE)
