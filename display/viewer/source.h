/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A client of org.qemu.Display1 (QEMU's own D-Bus display language, spoken here by hotdesk-screen or a fake): its
 * listener fills the surface, and keys, pointer and sizes go to its Console_0. On the main thread; never waits.
 */
#ifndef VIEWER_SOURCE_H
#define VIEWER_SOURCE_H

#include "display/viewer/surface.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

struct source;

struct source_ops {
	void (*pictured)(void *userdata); /* the first pixels are in the surface */
	void (*disabled)(void *userdata); /* the source has no picture for now */
	void (*lost)(void *userdata);     /* the connection ended: free the source */
};

/* fd: one end of a stream socketpair, taken over also on failure. */
int source_new(sd_event *event, int fd, struct surface *surface, const struct source_ops *ops, void *userdata,
	       struct source **ret);

/*
 * Releases all pressed keys and buttons and closes. What a peer that is stuck does not take is lost: hotdesk-screen
 * releases what a display that leaves has pressed. Takes NULL.
 */
void source_free(struct source *source);

bool source_has_picture(const struct source *source);

/* The connection, for the clipboard's part of it; until the source is freed. */
sd_bus *source_bus(struct source *source);

/* qnum of keymap.h. Repeated presses are passed on; releases of keys that are not pressed are not. */
void source_key(struct source *source, uint32_t qnum, bool down);

/* buttons: RFB's mask (bit 0 left, 1 middle, 2 right, 3 and 4 the wheel). */
void source_pointer(struct source *source, int x, int y, uint8_t buttons);

/* Asks the guest for a size (pixels). */
void source_set_size(struct source *source, int width, int height);

#endif
