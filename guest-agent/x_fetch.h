/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One conversion of a selection that another X client owns (ICCCM 2.4, 2.7.2): its bytes, at once or by INCR. The owner
 * is a stranger: it has 10 seconds for all of it, and what it gives is counted before it is kept.
 */
#ifndef GUEST_AGENT_X_FETCH_H
#define GUEST_AGENT_X_FETCH_H

#include "guest-agent/x_text.h"

#include <stdbool.h>

struct x_fetch;

/* Asks the owner. display is kept. NULL: out of memory. */
struct x_fetch *x_fetch_new(const struct x_display *display, xcb_atom_t selection, xcb_atom_t target, size_t max);
/* Takes NULL. */
void x_fetch_free(struct x_fetch *fetch);

/* Each event of the connection, and now and then a tick. true: this has ended it. */
bool x_fetch_event(struct x_fetch *fetch, const xcb_generic_event_t *event);
bool x_fetch_tick(struct x_fetch *fetch);

/* What has come, once it has ended: a property of `type` and `format`; borrowed. NULL: nothing, or more than max. */
char *x_fetch_data(struct x_fetch *fetch, xcb_atom_t *ret_type, uint8_t *ret_format, size_t *ret_size);

#endif
