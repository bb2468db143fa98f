/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The conversation of a gate's connection process with the broker: SOCK_SEQPACKET at RUNTIME_DIR/broker/gate.sock, one
 * gate_login with the password's memfd, one gate_result with the viewer's stream. Fixed sizes; the broker closes the
 * connection after the result.
 */
#ifndef GATE_API_H
#define GATE_API_H

#include <stdint.h>

#define GATE_API_VERSION 1
#define GATE_START_SECONDS 30 /* a gate_result comes at most this long after the time that [auth] timeout gives */
#define GATE_NAME_MAX 256     /* bytes with the NUL */
#define GATE_PEER_MAX 80      /* "ADDRESS PORT" with the NUL */
#define GATE_REASON_MAX 256   /* UTF-8 with the NUL */

struct gate_login {
	uint32_t version;
	uint32_t reserved;
	char name[GATE_NAME_MAX]; /* as typed: name or name+pool */
	char peer[GATE_PEER_MAX];
};

enum gate_status {
	GATE_OK = 0, /* one fd comes along: a stream socket on which hotdesk-display speaks RFB from ClientInit on */
	GATE_REFUSED = 1, /* reason says why, for the SecurityResult */
};

struct gate_result {
	uint32_t version;
	uint32_t status;
	char reason[GATE_REASON_MAX];
};

#endif
