/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The server's side of RFB from the viewer's version to its credentials, as a pure state machine: RFB 3.8 (RFC 6143
 * section 7.1), security type VeNCrypt 0.2 with X509Plain and nothing else (rfbproto, "VeNCrypt"). The server's own 12
 * bytes of version went out before. Each step wants an exact number of bytes, so that no byte of the TLS handshake is
 * read too early.
 */
#ifndef GATE_HANDSHAKE_H
#define GATE_HANDSHAKE_H

#include "common/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HANDSHAKE_VERSION "RFB 003.008\n"
#define HANDSHAKE_VERSION_SIZE 12
#define HANDSHAKE_NAME_MAX 255 /* bytes of a user name */
#define HANDSHAKE_IN_MAX (HANDSHAKE_NAME_MAX + SECRET_MAX)
#define HANDSHAKE_OUT_MAX 512

enum handshake_state {
	HANDSHAKE_CLIENT_VERSION, /* 12 bytes */
	HANDSHAKE_SECURITY_TYPE,  /* 1 */
	HANDSHAKE_VENCRYPT,       /* 2 */
	HANDSHAKE_SUBTYPE,        /* 4 */
	HANDSHAKE_START_TLS,      /* none: the caller does TLS, then calls handshake_secured */
	HANDSHAKE_PLAIN_LENGTHS,  /* 8, inside TLS */
	HANDSHAKE_PLAIN,          /* name and password */
	HANDSHAKE_DONE,           /* name and password are there */
	HANDSHAKE_FAILED,         /* send `out`, then close; reason is for the log */
};

struct handshake {
	enum handshake_state state;
	size_t need;                    /* bytes the next handshake_feed takes */
	uint8_t out[HANDSHAKE_OUT_MAX]; /* to be sent before anything else is read; the caller sets out_size to 0 */
	size_t out_size;
	const char *reason;
	size_t name_size;
	char name[HANDSHAKE_NAME_MAX + 1];
	struct secret *password; /* handshake_clear frees it */
};

void handshake_init(struct handshake *handshake);
void handshake_clear(struct handshake *handshake);

/* Takes exactly handshake->need bytes; returns the new state. */
enum handshake_state handshake_feed(struct handshake *handshake, const uint8_t *data);

/* TLS stands: credentials come next. */
void handshake_secured(struct handshake *handshake);

/* Fills `out` with a SecurityResult: OK where reason is NULL, else failed with the reason (RFC 6143 section 7.1.3), cut
 * to fit. */
void handshake_security_result(struct handshake *handshake, const char *reason);

#endif
