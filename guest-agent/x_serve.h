/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Other X clients that want the selections which we own for the host (ICCCM 2.2, 2.7.2): several at a time, each with
 * 10 seconds for each step and no more than its share of the places.
 */
#ifndef GUEST_AGENT_X_SERVE_H
#define GUEST_AGENT_X_SERVE_H

#include "guest-agent/x_text.h"

#include <stdbool.h>

#define X_SERVE_MAX 32       /* requests at a time */
#define X_SERVE_CLIENT_MAX 8 /* of one client */

struct x_serve;

/* display is kept. NULL: out of memory. */
struct x_serve *x_serve_new(const struct x_display *display);
/* Takes NULL. */
void x_serve_free(struct x_serve *serve);

/* `since`: when the selection became ours. true: a text is wanted, and x_serve_text answers it. */
bool x_serve_request(struct x_serve *serve, const xcb_selection_request_event_t *request, xcb_timestamp_t since);
void x_serve_refuse(struct x_serve *serve, const xcb_selection_request_event_t *request);
/* Gives all who wait for this selection its text; NULL: they get none. */
void x_serve_text(struct x_serve *serve, xcb_atom_t selection, struct x_text *text);
bool x_serve_waits(const struct x_serve *serve, xcb_atom_t selection);

/* Each event of the connection, and now and then a tick. */
void x_serve_event(struct x_serve *serve, const xcb_generic_event_t *event);
void x_serve_tick(struct x_serve *serve);

#endif
