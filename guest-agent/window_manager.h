/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether a window manager runs: by the root window's _NET_SUPPORTING_WM_CHECK (Extended Window Manager Hints 1.5). */
#ifndef GUEST_AGENT_WINDOW_MANAGER_H
#define GUEST_AGENT_WINDOW_MANAGER_H

#include <stdbool.h>
#include <xcb/xcb.h>

/* Asks for the events of the root window's properties. 0, or -EIO when the connection broke. */
int window_manager_start(xcb_connection_t *connection, xcb_screen_t *screen, xcb_atom_t *ret);

bool window_manager_is_event(const xcb_generic_event_t *event, xcb_atom_t atom);
bool window_manager_is_there(xcb_connection_t *connection, xcb_screen_t *screen, xcb_atom_t atom);

#endif
