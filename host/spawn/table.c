/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/spawn/table.h"

const struct spawn_entry spawn_table[SPAWN_KINDS] = {
    [SPAWN_QEMU] = {"qemu", "/usr/bin/qemu-system-x86_64", SPAWN_PEER_HOST, false, 1024, 512},
    /* The screen shares its desktop's uid, so that both count into one RLIMIT_NPROC. */
    [SPAWN_SCREEN] = {"screen", "hotdesk-screen", SPAWN_PEER_BROKER, false, 1024, 512},
    [SPAWN_DISPLAY] = {"display", "hotdesk-display", SPAWN_PEER_BROKER, true, 256, 64},
};
