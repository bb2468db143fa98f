/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One hotdesk-screen for each watched desktop: started when a viewer is there and the desktop is ready, given QEMU's
 * connection again whenever it is lost, replaced when it dies. Its clipboard is clipboard.h's. All take a NULL watch.
 */
#ifndef BROKER_WATCH_H
#define BROKER_WATCH_H

#include "broker/child.h"
#include "broker/desktop.h"

/* Does what desktop's state and viewers ask for; call it after either changed. */
void watch_update(struct desktop *desktop);
/* The desktop is given up: its screen is ended. */
void watch_drop(struct desktop *desktop);
/* The broker ends: all screens go on. */
void watches_free(struct desktops *desktops);
/* Takes note of the desktop's size for the next viewer. */
void watch_viewer_left(struct desktop *desktop);

/* A pool was changed: what its screens may copy. */
void watches_policy(struct desktops *desktops);

/* Its screen; NULL: there is none. */
struct child *watch_child(const struct watch *watch);
bool watch_has_source(const struct watch *watch);
/* Had a source in this run of the desktop and has none now. */
bool watch_is_reconnecting(const struct watch *watch);

/* Screen serves QEMU's display on fd (duplicated). */
int watch_add_display(struct watch *watch, int fd);

#endif
