/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The size follower: gives the X screen the size that the host asks for. The host changes the EDID of the virtual
 * screen, RandR then lists a new preferred mode for the output; window managers of virtual machines do not take it by
 * themselves.
 */
#ifndef GUEST_AGENT_FOLLOW_H
#define GUEST_AGENT_FOLLOW_H

#include <stdbool.h>
#include <xcb/xcb.h>

/* Asks for the events of `screen`'s outputs. 0, -ENOTSUP without RandR 1.3, or -EIO when the connection broke. */
int follow_start(xcb_connection_t *connection, xcb_screen_t *screen);

/* True: this event says that outputs or modes changed. */
bool follow_is_event(xcb_connection_t *connection, const xcb_generic_event_t *event);

/*
 * Sets the preferred mode of the first connected output, to the pixel, where it is not set already; an output without a
 * preferred mode is left alone. Makes the server look at the hardware again. 0 or -errno (-EAGAIN: it changed
 * meanwhile, call again).
 */
int follow_apply(xcb_connection_t *connection, xcb_screen_t *screen);

#endif
