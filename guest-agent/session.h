/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The root part's side of the session socket: every session part connects to it and says when its X is up, every
 * locker while its screen is locked. The peers are the guest's users, so what they say is capped and means no more than
 * this, and only for their own uid.
 */
#ifndef GUEST_AGENT_SESSION_H
#define GUEST_AGENT_SESSION_H

#include "guest-agent/loop.h"

#include <stdbool.h>
#include <sys/types.h>

#define SESSION_SOCKET_PATH "/run/hotdesk-agent/session.sock"
#define SESSION_MAX 16 /* connections at once */

struct sessions;

/* What the connections say may have changed. */
typedef void (*sessions_fn)(void *userdata);

/* Listens at `path` (mode 0666; its directory is made). 0 or -errno. */
int sessions_new(struct loop *loop, const char *path, sessions_fn changed, void *userdata, struct sessions **ret);
/* Takes NULL. */
void sessions_free(struct sessions *sessions);
void sessions_freep(struct sessions **sessions);

/* A session part of anybody's, or of this user, has its X up; a locker of this user holds the screen. */
bool sessions_any_up(const struct sessions *sessions);
bool sessions_up(const struct sessions *sessions, uid_t uid);
bool sessions_locked(const struct sessions *sessions, uid_t uid);

#endif
