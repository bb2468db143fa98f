/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The root part's side of the session socket: every session part connects to it and says when its X is up, every
 * locker while its screen is locked, and a connection for the clipboard is handed on. The peers are the guest's users,
 * so what they say is capped and means no more than this, and only for their own uid.
 */
#ifndef GUEST_AGENT_SESSION_H
#define GUEST_AGENT_SESSION_H

#include "guest-agent/loop.h"

#include <stdbool.h>
#include <sys/types.h>

#define SESSION_SOCKET_PATH "/run/hotdesk-agent/session.sock"
#define SESSION_MAX 16 /* connections at once */

struct sessions;

struct sessions_ops {
	/* What the connections say may have changed. */
	void (*changed)(void *userdata);
	/* One is for the clipboard: it is the callee's from now on. */
	void (*clipboard)(int fd, uid_t uid, void *userdata);
};

/* Listens at `path` (mode 0666; its directory is made). 0 or -errno. */
int sessions_new(struct loop *loop, const char *path, const struct sessions_ops *ops, void *userdata,
		 struct sessions **ret);
/* Takes NULL. */
void sessions_free(struct sessions *sessions);
void sessions_freep(struct sessions **sessions);

/* A session part of anybody's, or of this user, has its X up; a locker of this user holds the screen. */
bool sessions_any_up(const struct sessions *sessions);
bool sessions_up(const struct sessions *sessions, uid_t uid);
bool sessions_locked(const struct sessions *sessions, uid_t uid);

#endif
