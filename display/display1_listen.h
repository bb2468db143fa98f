/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The listener's side of org.qemu.Display1 (QEMU, ui/dbus-display1.xml), with QEMU or with hotdesk-screen: registers at
 * Console_0 and is told of the picture. Only the messages' form is checked here.
 */
#ifndef DISPLAY1_LISTEN_H
#define DISPLAY1_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

struct display1_listener;

struct display1_rect {
	int32_t x, y, w, h;
};

struct display1_pixels {
	uint32_t stride, format;
	const void *data; /* borrowed during the call */
	size_t size;
};

/* A negative return refuses the call with that errno; 0 answers it; 1 where the listener was registered anew instead.
 */
struct display1_listener_ops {
	int (*scanout)(uint32_t width, uint32_t height, const struct display1_pixels *pixels, void *userdata);
	int (*update)(const struct display1_rect *rect, const struct display1_pixels *pixels, void *userdata);
	/* fd is borrowed. */
	int (*scanout_map)(int fd, uint32_t offset, uint32_t width, uint32_t height, uint32_t stride, uint32_t format,
			   void *userdata);
	int (*update_map)(const struct display1_rect *rect, void *userdata);
	int (*disable)(void *userdata);
	int (*mouse)(int32_t x, int32_t y, bool on, void *userdata);
	int (*cursor)(int32_t width, int32_t height, int32_t hot_x, int32_t hot_y, const void *argb, size_t size,
		      void *userdata);
	/* Sees each message of the listener's connection first (sd_bus_add_filter); may be NULL. */
	sd_bus_message_handler_t filter;
	/* The listener's connection ended, which registering another one does too. */
	void (*gone)(void *userdata);
	/* There will be no listener: the peer refused it, or does not answer. */
	void (*failed)(const char *why, void *userdata);
};

/* Registers as soon as the peer of bus (started, borrowed until the free) has answered a first message. */
int display1_listener_new(sd_event *event, sd_bus *bus, const struct display1_listener_ops *ops, void *userdata,
			  struct display1_listener **ret);
/* Takes NULL. */
void display1_listener_free(struct display1_listener *listener);

/*
 * Registers anew, which brings a whole picture. May be called from within the ops of a message. -EBUSY: far too often
 * in this second; a peer that needs it is to be given up.
 */
int display1_listener_register(struct display1_listener *listener);

#endif
