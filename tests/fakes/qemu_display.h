/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QEMU's side of a peer-to-peer org.qemu.Display1 connection (QEMU, ui/dbus-display1.xml): one console, one listener.
 * What the peer does is printed: `listener`, `ready`, `Keyboard Press N`, `Mouse Release N`, `at X Y`, `by X Y`,
 * `uiinfo W H`, `mapped` (it took the shared memory), `refused TEXT` and `gone`.
 */
#ifndef FAKES_QEMU_DISPLAY_H
#define FAKES_QEMU_DISPLAY_H

#include "tests/fakes/lines.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

struct qemu_audio;

#define FAKE_FORMAT 0x20020888u

struct qemu_display {
	sd_event *event;
	sd_bus *main, *listener;
	sd_bus_slot *gone;
	bool ready;         /* the listener said what it understands */
	bool map, unmapped; /* shared memory where the listener takes it; this listener refused it */
	bool sealed;        /* what is shared can neither shrink nor grow, as hotdesk-screen's */
	bool follow;        /* the surface takes each size that is asked for */
	bool relative;      /* the guest's mouse takes motions alone */
	bool late;          /* RegisterListener is answered when this ends */
	sd_bus_message *held;
	uint32_t width, height, *pixels;
	int fd;                   /* what is shared */
	struct qemu_audio *audio; /* NULL: it has none */
	bool shrunk;
};

/* Serves fd (taken over); an older connection is closed, as QEMU does on add_client. */
int qemu_display_serve(struct qemu_display *display, int fd);
void qemu_display_close(struct qemu_display *display);
/* Closes and gives the surface back, but not the struct. */
void qemu_display_free(struct qemu_display *display);
/* Answers what was held. */
int qemu_display_answer(struct qemu_display *display);

/* A black surface; nothing is told. */
int qemu_display_surface(struct qemu_display *display, uint32_t width, uint32_t height);
int qemu_display_shrink(struct qemu_display *display, uint64_t size);
/* Tell the listener, if there is one. */
void qemu_display_scanout(struct qemu_display *display);
/* Shares the surface and takes the answer as overdue (QEMU: after 1 s): this listener gets pixels inline for good. */
void qemu_display_overdue(struct qemu_display *display);
void qemu_display_update(struct qemu_display *display, uint32_t x, uint32_t y, uint32_t w, uint32_t h);

/* Draws and tells; -EINVAL outside of the surface. */
int qemu_display_fill(struct qemu_display *display, uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint32_t colour);
/* Puts pixels that were drawn into the shared memory and tells nobody. */
int qemu_display_share(const struct qemu_display *display, uint32_t x, uint32_t y, uint32_t w, uint32_t h);

/* A call of a method of the listener's, made by `message`; taken over. r: how making it went. */
int qemu_display_send(struct qemu_display *display, sd_bus_message *message, int r);
sd_bus_message *qemu_display_call(struct qemu_display *display, const char *interface, const char *method);

/* What lines can make it do (README.md), for lines_serve with a struct qemu_display. */
extern const struct line_command qemu_display_commands[];

#endif
