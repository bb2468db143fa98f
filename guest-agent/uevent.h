/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernel's own word that a screen changed (a hotplug uevent of the drm subsystem), for guests without udev, whose X
 * server hears nothing of it.
 */
#ifndef GUEST_AGENT_UEVENT_H
#define GUEST_AGENT_UEVENT_H

#include <stdbool.h>
#include <stddef.h>

/* A non-blocking netlink socket with the kernel's uevents; any user may have one. Returns fd or -errno. */
int uevent_open(void);

/* Reads all that is there. 1: a screen changed. 0: nothing of interest. -errno: broken. */
int uevent_drain(int fd);

/* text: "ACTION@PATH" and KEY=VALUE strings, each with a NUL behind it. Pure. */
bool uevent_is_screen(const char *text, size_t size);

#endif
