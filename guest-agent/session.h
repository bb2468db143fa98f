/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The root part's side of the session socket: every session part connects to it and says when its X is up. The peers
 * are the guest's users, so what they say is capped and only ever means "a desktop is there".
 */
#ifndef GUEST_AGENT_SESSION_H
#define GUEST_AGENT_SESSION_H

#include "guest-agent/loop.h"

#include <stdbool.h>

#define SESSION_SOCKET_PATH "/run/hotdesk-agent/session.sock"
#define SESSION_MAX 16 /* connections at once */

struct sessions;

/* up: at least one session has its X up; called when that changes. */
typedef void (*sessions_fn)(bool up, void *userdata);

/* Listens at `path` (mode 0666; its directory is made). 0 or -errno. */
int sessions_new(struct loop *loop, const char *path, sessions_fn changed, void *userdata, struct sessions **ret);
/* Takes NULL. */
void sessions_free(struct sessions *sessions);
void sessions_freep(struct sessions **sessions);

#endif
