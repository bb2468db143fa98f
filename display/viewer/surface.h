/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is to be seen now: handed by the main thread (source, drawn picture) to the RFB thread. All functions lock; none
 * waits for long. Damage is noted after the pixels were written, so whoever takes it and then reads sees at least
 * those.
 */
#ifndef VIEWER_SURFACE_H
#define VIEWER_SURFACE_H

#include "display/display1.h"
#include "display/viewer/letterbox.h"
#include "display/viewer/pixels.h"
#include "display/viewer/tiles.h"

#include <pthread.h>

#define CURSOR_EDGE_MAX DISPLAY1_CURSOR_EDGE_MAX

/* A pointer's shape: premultiplied a8r8g8b8. Counted like pixels; never changed once it is shared. */
struct cursor {
	int refs;
	int width, height, hot_x, hot_y;
	uint32_t argb[];
};

struct surface_state {
	struct pixels *pixels; /* NULL before the first */
	struct cursor *cursor; /* NULL: none */
	struct cursor *banner; /* drawn over the middle of the view's top; NULL: none */
	int pointer_x, pointer_y;
	bool pointer_on;
	unsigned pixels_serial, cursor_serial, warp_serial, banner_serial; /* counted up by each change */
	struct tiles damage;                                               /* in the pixels' own coordinates */
};

struct surface {
	pthread_mutex_t lock;
	void (*changed)(void *userdata); /* called without the lock after each change, on the main thread */
	void *userdata;
	struct surface_state now;
	struct letterbox box; /* how the RFB thread shows it: published for the pointer */
};

void surface_init(struct surface *surface, void (*changed)(void *userdata), void *userdata);
void surface_done(struct surface *surface);

/* Main thread. */
void surface_set_pixels(struct surface *surface, struct pixels *pixels); /* takes over; all of it is damaged */
void surface_damage(struct surface *surface, struct rect rect);
void surface_set_cursor(struct surface *surface, struct cursor *cursor); /* takes over */
void surface_set_banner(struct surface *surface, struct cursor *banner); /* takes over, NULL: none */
/* off: it is invisible. warped: the guest moved it by itself, not after the viewer. */
void surface_move_pointer(struct surface *surface, int x, int y, bool on, bool warped);
/* The current pixels, counted for the caller, or NULL. */
struct pixels *surface_pixels(struct surface *surface);
struct letterbox surface_box(struct surface *surface);

/* RFB thread: moves the damage into *state (added) and refreshes the rest; its references are state's, dropped by the
 * next take. */
void surface_take(struct surface *surface, struct surface_state *state);
void surface_publish_box(struct surface *surface, const struct letterbox *box);
void surface_state_done(struct surface_state *state);

/* -EINVAL when the size is 0 or over CURSOR_EDGE_MAX, or `size` is not 4 * width * height. */
int cursor_new(int width, int height, int hot_x, int hot_y, const void *argb, size_t size, struct cursor **ret);
void cursor_unref(struct cursor *cursor);

#endif
