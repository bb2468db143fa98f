/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What follows from what happens to a desktop: restart or fresh clone, log-off, removal. */
#ifndef BROKER_LIFECYCLE_H
#define BROKER_LIFECYCLE_H

#include "broker/desktop.h"
#include "broker/status.h"

/* The host's word on a desktop. May free it. */
void lifecycle_report(struct desktop *desktop, const struct report *report);
/* Viewers that wait are told. */
void lifecycle_host_away(struct broker *broker);

/*
 * Ends the session (viewers are shown title and detail, then closed) and gives the desktop up: what is disposable or
 * `remove`d is wanted absent, the rest stopped. May free it.
 */
int lifecycle_end(struct desktop *desktop, bool remove, const char *title, const char *detail);

/* As lifecycle_end, once the user is logged off in the guest, where its agent can do that. May free it. */
int lifecycle_kill(struct desktop *desktop, const char *detail);

/* A viewer's process ended. May free the desktop. */
void lifecycle_viewer_gone(struct desktop *desktop);

/* Tells screen and viewers what is now. */
void lifecycle_show(struct desktop *desktop);
void lifecycle_status(const struct desktop *desktop, struct status *ret);

#endif
