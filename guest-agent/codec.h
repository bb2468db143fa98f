/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The agent's protocol as bytes (README.md): newline-delimited JSON objects, at most CODEC_LINE_MAX bytes each with the
 * newline. Pure: nothing here reads, writes or waits.
 */
#ifndef GUEST_AGENT_CODEC_H
#define GUEST_AGENT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CODEC_LINE_MAX 65536
#define CODEC_NONCE_MAX 33 /* 32 hexadecimal digits and the NUL */
#define AGENT_PROTOCOL_VERSION 1

/* Cuts a stream of bytes into lines. Zeroed at first. */
struct lines {
	char *data;
	size_t used, room;
	bool skipping; /* the line was too long; what is left of it is dropped */
};

/* line: without the newline, a NUL behind it (and possibly within it); valid during the call. */
typedef void (*lines_fn)(const char *line, size_t size, void *userdata);

/* Calls fn for each whole line; empty and over-long ones are skipped. 0 or -ENOMEM. fn must not reset `lines`. */
int lines_feed(struct lines *lines, const char *data, size_t size, lines_fn fn, void *userdata);
/* Forgets a half line. */
void lines_reset(struct lines *lines);
/* Resets and frees the buffer. */
void lines_clear(struct lines *lines);

enum message_type {
	MESSAGE_UNKNOWN, /* of a later version: ignored */
	MESSAGE_HELLO,
	MESSAGE_READY,
	MESSAGE_HEARTBEAT,
	MESSAGE_SESSION, /* session part to root part: X is up */
};

struct message {
	enum message_type type;
	uint32_t version;            /* of a hello or session, 0 when not given */
	char nonce[CODEC_NONCE_MAX]; /* of a hello, "" when not given */
};

/* -EBADMSG: not a JSON object with a "type", or a known type with a field that is not what it must be. */
int message_parse(const char *line, size_t size, struct message *ret);

/* The line with its newline; *ret is the caller's (free). 0 or -ENOMEM. `ready` is of a hello only. */
int message_write(const struct message *message, bool ready, char **ret, size_t *ret_size);

#endif
