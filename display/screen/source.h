/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The connection to QEMU's D-Bus display (QEMU, ui/dbus-display1.xml): registers a listener, drains what it is sent
 * into the framebuffer, and passes input on. Handlers only copy: QEMU has no flow control towards a listener that does
 * not read.
 */
#ifndef SCREEN_SOURCE_H
#define SCREEN_SOURCE_H

#include "display/screen/framebuffer.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

struct source;

struct source_ops {
	/* A surface of this size begins; its pixels follow with `damaged`. Returns the framebuffer they go to, NULL to
	 * give the source up. */
	struct framebuffer *(*resized)(int width, int height, void *userdata);
	void (*damaged)(struct region_rect rect, void *userdata);
	/* argb: width * height * 4 bytes, borrowed. */
	void (*cursor)(int width, int height, int hot_x, int hot_y, const uint8_t *argb, void *userdata);
	void (*mouse)(int x, int y, bool on, void *userdata);
	void (*disabled)(void *userdata);
	/* The connection ended or was given up: free the source. */
	void (*lost)(void *userdata);
};

/* fd: QEMU's main connection; taken over, also on failure. */
int source_new(sd_event *event, int fd, const struct source_ops *ops, void *userdata, struct source **ret);
void source_free(struct source *source);

/* QEMU's main connection; the source's. */
sd_bus *source_bus(struct source *source);

/* All are sent without waiting, in order. key: QEMU qnum; button: QEMU's number; position in pixels of the surface. */
void source_key(struct source *source, uint32_t key, bool down);
void source_button(struct source *source, uint32_t button, bool down);
void source_position(struct source *source, uint32_t x, uint32_t y);
void source_motion(struct source *source, int dx, int dy);
/* Whether QEMU takes positions (its guest has a driver for the tablet); else it takes motions alone. */
bool source_is_absolute(const struct source *source);
/* millimetres: says how large that is as well, which makes it new for a QEMU that was told the size before. */
void source_ui_info(struct source *source, uint32_t width, uint32_t height, bool millimetres);

#endif
