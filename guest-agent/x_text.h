/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of the selections share: the X connection, its atoms, and texts with several users. */
#ifndef GUEST_AGENT_X_TEXT_H
#define GUEST_AGENT_X_TEXT_H

#include <stddef.h>
#include <xcb/xcb.h>

#define X_TEXT_SECONDS 10 /* how long another client may take for a text */

struct x_display {
	xcb_connection_t *connection;
	xcb_window_t root;
	xcb_atom_t clipboard, utf8_string, text, targets, timestamp, incr, data;
};

/* To the X server of $DISPLAY. 0 or -ECONNREFUSED; the connection is the caller's in either case. */
int x_connect(xcb_connection_t **ret, xcb_screen_t **ret_screen);
/* 0 or -EIO. */
int x_display_atoms(struct x_display *display);
/* A window that is never shown, for one purpose and then destroyed: what comes late finds nobody. */
xcb_window_t x_display_window(const struct x_display *display, uint32_t event_mask);

/* Bytes that are freed with their last user. */
struct x_text {
	unsigned users;
	size_t size;
	char data[];
};

/* Copies; data NULL: only the room. The caller is its first user; NULL: out of memory. */
struct x_text *x_text_new(const char *data, size_t size);
struct x_text *x_text_ref(struct x_text *text);
/* Takes NULL. */
void x_text_unref(struct x_text *text);

/* UTF-8 (well-formed, or '?' comes out) as Latin-1, '?' for what that does not have; and back. NULL: out of memory. */
struct x_text *x_text_to_latin1(const struct x_text *text);
struct x_text *x_text_from_latin1(const char *data, size_t size);

#endif
