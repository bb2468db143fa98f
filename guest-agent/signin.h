/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The one session of a guest: its user's account is made, the unit hotdesk-session@NAME is started and watched, and
 * what becomes of it is told. A restarted agent finds the session by the file it wrote.
 */
#ifndef GUEST_AGENT_SIGNIN_H
#define GUEST_AGENT_SIGNIN_H

#include "guest-agent/codec.h"
#include "guest-agent/loop.h"
#include "guest-agent/words.h"

#include <stdbool.h>
#include <sys/types.h>

struct signin;

struct signin_ops {
	/* The session changed. */
	void (*changed)(const struct session_info *session, void *userdata);
	/* The answer to the sign-in or log-off `id`; error NULL: the session starts or is there; it has ended. */
	void (*answer)(uint32_t id, const char *error, void *userdata);
};

struct signin_paths {
	const char *state;  /* names the session while it lasts */
	const char *reason; /* why a session could not begin: one line, by packaging/guest/session-begin */
};

/* The paths are kept, not copied. */
int signin_new(struct loop *loop, const struct signin_paths *paths, const struct signin_ops *ops, void *userdata,
	       struct signin **ret);
/* The session goes on. Takes NULL. */
void signin_free(struct signin *signin);

/* Waits where the session before is about to end. */
void signin_start(struct signin *signin, uint32_t id, const struct person *person);
/* Ends whatever session there is, with all its processes. */
void signin_log_off(struct signin *signin, uint32_t id);
/* What the session socket says of the session's user. */
void signin_seen(struct signin *signin, bool up, bool locked);
/* Borrowed, valid until the next call. */
const struct session_info *signin_session(const struct signin *signin);
bool signin_is_there(const struct signin *signin);

#endif
