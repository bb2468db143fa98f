/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The agent's protocol (guest-agent/README.md) from the host's side as data; pure. Everything in it comes from a guest
 * and is taken as hostile: strings are cut to what is expected, unknown types are ignored.
 */
#ifndef HOST_AGENT_CODEC_H
#define HOST_AGENT_CODEC_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_LINE_MAX 65535u /* without the newline */
#define AGENT_NONCE_SIZE 33   /* 32 hexadecimal digits and the NUL */
#define AGENT_WORD_SIZE 32
#define AGENT_TEXT_SIZE 128 /* names a person reads */
#define AGENT_CAPABILITIES_MAX 16
#define AGENT_VERSION 1

/* The capabilities this release knows; ends with NULL. */
extern const char *const agent_capabilities[];

enum agent_type {
	AGENT_UNKNOWN,
	AGENT_HELLO,
	AGENT_READY,
	AGENT_HEARTBEAT,
	AGENT_SESSION,
	AGENT_RESULT,
	AGENT_LEAVING,
};

enum agent_session_state {
	AGENT_SESSION_NONE,
	AGENT_SESSION_STARTING,
	AGENT_SESSION_ACTIVE,
	AGENT_SESSION_LOCKED,
	AGENT_SESSION_ENDED,
};

/* Who is signed in. Texts are without control characters. */
struct agent_session {
	enum agent_session_state state;
	char user[AGENT_TEXT_SIZE];
	uint32_t uid;
	char reason[ERROR_TEXT_MAX]; /* of its end, "" where none was given */
};

struct agent_message {
	enum agent_type type;
	/* Of a hello. Words are [A-Za-z0-9._-]; others are left out. */
	uint32_t version;
	bool ready;
	char nonce[AGENT_NONCE_SIZE];
	char agent[AGENT_WORD_SIZE];
	char os[AGENT_TEXT_SIZE];
	char capabilities[AGENT_CAPABILITIES_MAX][AGENT_WORD_SIZE];
	size_t n_capabilities;
	/* Of a hello (AGENT_SESSION_NONE: nobody is signed in) or a session. */
	struct agent_session session;
	/* Of a result. error: "" when ok. */
	uint32_t id;
	bool ok;
	char error[ERROR_TEXT_MAX];
	/* Of a leaving: it starts again, else it is switched off. */
	bool reboot;
};

/* A line without its newline. -EBADMSG: not an object with a type, or a known type without what it must have. */
int agent_parse(const char *line, size_t size, struct agent_message *ret);

bool agent_has(const struct agent_message *hello, const char *capability);
bool agent_session_same(const struct agent_session *a, const struct agent_session *b);
/* The protocol's word. */
const char *agent_session_text(enum agent_session_state state);

/* The host's hello into buffer, behind an empty line that ends what a killed host left half-said; returns its length.
 */
size_t agent_hello(const char *nonce, char *buffer, size_t size);

#endif
