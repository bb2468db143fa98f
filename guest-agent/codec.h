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
#define CODEC_NONCE_MAX 33      /* 32 hexadecimal digits and the NUL */
#define CODEC_NAME_MAX 256      /* company names, full names, with the NUL */
#define CODEC_GROUP_MAX 33      /* with the NUL */
#define CODEC_GROUPS_MAX 32     /* in one sign-in */
#define CODEC_HOSTNAME_MAX 64   /* a label of RFC 1123 with the NUL */
#define CODEC_MACHINE_ID_MAX 33 /* 32 lower-case hexadecimal digits and the NUL */
#define CODEC_TEXT_MAX 501      /* reasons, with the NUL */
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
	MESSAGE_UNKNOWN, /* of a later version; with an id it is answered */
	MESSAGE_HELLO,
	MESSAGE_SESSION,   /* session part to root part: X is up */
	MESSAGE_LOCKED,    /* likewise: the screen is locked while this connection lasts */
	MESSAGE_CLIPBOARD, /* likewise: what follows on this connection is vdagent messages */
	/* Requests of the host's, each with an id. */
	MESSAGE_SIGN_IN,
	MESSAGE_LOG_OFF,
	MESSAGE_LOCK,
	MESSAGE_UNLOCK,
	MESSAGE_REBOOT,
	MESSAGE_POWER_OFF,
	MESSAGE_SET_TIME,
	MESSAGE_SET_HOSTNAME,
	MESSAGE_SET_MACHINE_ID,
	MESSAGE_TYPES
};

/* Whom a sign-in names. */
struct person {
	char name[CODEC_NAME_MAX], full_name[CODEC_NAME_MAX];
	uint32_t uid, gid;
	char groups[CODEC_GROUPS_MAX][CODEC_GROUP_MAX];
	size_t n_groups;
};

struct message {
	enum message_type type;
	uint32_t id;                 /* of a request, 0 when not given */
	uint32_t version;            /* of a hello or session, 0 when not given */
	char nonce[CODEC_NONCE_MAX]; /* of a hello, "" when not given */
	struct person person;        /* of a sign-in */
	int64_t time;                /* of a set-time: Unix microseconds */
	char text[CODEC_NAME_MAX];   /* of a set-hostname or set-machine-id */
};

/* -EBADMSG: not a JSON object with a "type", or a known type with a field that is not what it must be; then ret has
 * type and id as far as they are known, for the answer. */
int message_parse(const char *line, size_t size, struct message *ret);

/* "sign-in" of MESSAGE_SIGN_IN, ...; borrowed, for ever. */
const char *message_name(enum message_type type);

#endif
