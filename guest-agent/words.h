/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the agent says (README.md): lines with their newline and a NUL, the caller's (free); NULL: out of memory. */
#ifndef GUEST_AGENT_WORDS_H
#define GUEST_AGENT_WORDS_H

#include <stdbool.h>
#include <stdint.h>

enum session_state { SESSION_NONE, SESSION_STARTING, SESSION_ACTIVE, SESSION_LOCKED, SESSION_ENDED };

/* The session of the signed-in user. */
struct session_info {
	enum session_state state;
	const char *user; /* in the guest */
	uint32_t uid;
	const char *reason; /* why it ended; NULL or "": no more to say */
};

struct hello {
	const char *nonce;
	const char *os;
	const char *const *capabilities; /* NULL-terminated */
	bool ready;
	struct session_info session;
};

char *words_hello(const struct hello *hello);
char *words_session(const struct session_info *session);
/* error NULL: it went well. */
char *words_result(uint32_t id, const char *error);
/* how: "reboot" or "power-off" */
char *words_leaving(const char *how);
/* Messages of nothing but a type: "ready", "heartbeat". */
char *words_plain(const char *type);
/* A session part's: "session" or "locked". */
char *words_part(const char *type);

#endif
