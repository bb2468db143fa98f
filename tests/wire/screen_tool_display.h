/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A scripted display of hotdesk-screen: what it is sent is printed as `display N WHAT`: scanout W H, update X Y W H,
 * disable, cursor W H HOT_X HOT_Y AARRGGBB, mouse X Y ON, gone.
 */
#ifndef WIRE_SCREEN_TOOL_DISPLAY_H
#define WIRE_SCREEN_TOOL_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

struct tool_display {
	unsigned number;
	sd_event *event;
	sd_bus *main, *listener;
	sd_bus_slot *gone;
	bool hold;    /* answers nothing it is sent */
	int fd, mute; /* the shared framebuffer; the other end of a listener that says nothing */
	uint32_t width, height, stride;
};

/* fd: the end whose other screen was given; taken over. */
int tool_display_open(struct tool_display *display, sd_event *event, unsigned number, int fd);
void tool_display_close(struct tool_display *display);

/* Registers a listener; mute: one that never even authenticates. */
int tool_display_listen(struct tool_display *display, bool mute);

/* Writes the framebuffer to a file. */
int tool_display_dump(const struct tool_display *display, const char *path);
/* Tries to change the framebuffer and prints what each attempt gave. */
void tool_display_attack(const struct tool_display *display);
/* n calls whose answers nobody reads, until the other side ends it. */
int tool_display_flood(struct tool_display *display, unsigned n);

#endif
