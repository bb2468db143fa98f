/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SCREEN_WAKE_H
#define SCREEN_WAKE_H

#include <systemd/sd-bus.h>

/*
 * sd-bus (252) may read a server's first message together with the end of the authentication, and then waits for more
 * bytes before it looks at it: for ever, where the server waits for the answer, as QEMU does for its listener's
 * properties. Call this once for a client's connection that is attached to an event loop.
 */
int wake_when_connected(sd_bus *bus);

#endif
