/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/store_schema.h"

const char *const store_migrations[STORE_VERSION] = {
    /* 0 -> 1 */
    "CREATE TABLE pool ("
    "  name TEXT PRIMARY KEY, image TEXT NOT NULL, kind TEXT NOT NULL, memory_mib INTEGER NOT NULL,"
    "  vcpus INTEGER NOT NULL, max INTEGER NOT NULL, min_spare INTEGER NOT NULL, keyboard TEXT NOT NULL,"
    "  created INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE entitlement ("
    "  pool TEXT NOT NULL REFERENCES pool ON DELETE CASCADE, kind TEXT NOT NULL, name TEXT NOT NULL,"
    "  PRIMARY KEY (pool, kind, name)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE desktop ("
    "  id TEXT PRIMARY KEY, slot INTEGER NOT NULL UNIQUE, pool TEXT NOT NULL REFERENCES pool,"
    "  owner TEXT NOT NULL, image TEXT NOT NULL, image_version INTEGER NOT NULL, wanted TEXT NOT NULL,"
    "  failures INTEGER NOT NULL, reason TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,"
    "  created INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX desktop_pool ON desktop (pool);"
    "CREATE UNIQUE INDEX desktop_owner ON desktop (pool, owner) WHERE owner <> '' AND wanted <> 'absent';"
    "CREATE TABLE session ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, desktop TEXT NOT NULL REFERENCES desktop ON DELETE CASCADE,"
    "  user TEXT NOT NULL, uid INTEGER NOT NULL, started INTEGER NOT NULL, state TEXT NOT NULL) STRICT;"
    "CREATE INDEX session_desktop ON session (desktop);"
    "CREATE UNIQUE INDEX session_open ON session (desktop) WHERE state <> 'ended';"
    "CREATE TABLE viewer ("
    "  slot INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,"
    "  desktop TEXT NOT NULL, peer TEXT NOT NULL, since INTEGER NOT NULL) STRICT;"
    "CREATE INDEX viewer_session ON viewer (session);"
    "CREATE TABLE event ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, kind TEXT NOT NULL, user TEXT NOT NULL,"
    "  desktop TEXT NOT NULL, pool TEXT NOT NULL, text TEXT NOT NULL) STRICT;"
    "CREATE TABLE user_uid (name TEXT PRIMARY KEY, uid INTEGER NOT NULL UNIQUE) STRICT, WITHOUT ROWID;"
    "CREATE TABLE generation (value INTEGER NOT NULL) STRICT;"
    "INSERT INTO generation VALUES (0);",
    /* 1 -> 2: who signs in to a guest */
    "ALTER TABLE pool ADD COLUMN guest_groups TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE session ADD COLUMN gid INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE session ADD COLUMN full_name TEXT NOT NULL DEFAULT '';",
    /* 2 -> 3: since when she is there */
    "ALTER TABLE session ADD COLUMN boot INTEGER NOT NULL DEFAULT 0;",
    /* 3 -> 4: refused logins apart from the other events */
    "CREATE TABLE refusal ("
    "  id INTEGER PRIMARY KEY, minute INTEGER NOT NULL, user TEXT NOT NULL, address TEXT NOT NULL, pool TEXT NOT NULL,"
    "  reason TEXT NOT NULL, count INTEGER NOT NULL, time INTEGER NOT NULL,"
    "  UNIQUE (minute, user, address, pool, reason)) STRICT;",
    /* 4 -> 5: what a spare was booted with */
    "ALTER TABLE desktop ADD COLUMN memory_mib INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE desktop ADD COLUMN vcpus INTEGER NOT NULL DEFAULT 0;"
    "UPDATE desktop SET (memory_mib, vcpus) ="
    " (SELECT memory_mib, vcpus FROM pool WHERE pool.name = desktop.pool);",
    /* 5 -> 6: the clipboard */
    "ALTER TABLE pool ADD COLUMN clipboard TEXT NOT NULL DEFAULT 'both';"
    "ALTER TABLE pool ADD COLUMN clipboard_primary INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE copied ("
    "  id INTEGER PRIMARY KEY, minute INTEGER NOT NULL, user TEXT NOT NULL, desktop TEXT NOT NULL, pool TEXT NOT NULL,"
    "  direction TEXT NOT NULL, count INTEGER NOT NULL, bytes INTEGER NOT NULL, time INTEGER NOT NULL,"
    "  UNIQUE (minute, user, desktop, pool, direction)) STRICT;",
    /* 6 -> 7: sound */
    "ALTER TABLE pool ADD COLUMN sound INTEGER NOT NULL DEFAULT 1;",
};
