/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The agent's protocol (guest-agent/README.md) from the host's side as data; pure. Everything in it comes from a guest
 * and is taken as hostile: strings are cut to what is expected, unknown types are ignored.
 */
#ifndef HOST_AGENT_CODEC_H
#define HOST_AGENT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_LINE_MAX 65535u /* without the newline */
#define AGENT_NONCE_SIZE 33   /* 32 hexadecimal digits and the NUL */
#define AGENT_WORD_SIZE 32
#define AGENT_CAPABILITIES_MAX 16
#define AGENT_VERSION 1

enum agent_type { AGENT_UNKNOWN, AGENT_HELLO, AGENT_READY, AGENT_HEARTBEAT };

struct agent_message {
	enum agent_type type;
	/* Of a hello. Words are [A-Za-z0-9._-]; others are left out. */
	uint32_t version;
	bool ready;
	char nonce[AGENT_NONCE_SIZE];
	char agent[AGENT_WORD_SIZE];
	char capabilities[AGENT_CAPABILITIES_MAX][AGENT_WORD_SIZE];
	size_t n_capabilities;
};

/* A line without its newline. -EBADMSG: not an object with a type, or a hello without a version. */
int agent_parse(const char *line, size_t size, struct agent_message *ret);

/* The host's hello into buffer, behind an empty line that ends what a killed host left half-said; returns its length.
 */
size_t agent_hello(const char *nonce, char *buffer, size_t size);

#endif
