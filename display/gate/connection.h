/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One viewer's connection, in a process of its own that the listener executes when the peer has said something: TLS,
 * handshake, the broker's answer, then the relay. It opens no file, executes nothing, and makes no socket after
 * connection_run has entered the sandbox.
 */
#ifndef GATE_CONNECTION_H
#define GATE_CONNECTION_H

#include "broker/gate_api.h"

struct connection_settings {
	int socket;            /* the viewer's; the 12 bytes of version are sent */
	int chain_fd, key_fd;  /* memfds of PEM */
	const char *broker;    /* path of gate.sock */
	long long deadline;    /* ms, CLOCK_MONOTONIC: RFB and TLS up to the credentials; begun when it was accepted */
	int handshake_seconds; /* for the viewer to take the result */
	int typing_seconds;    /* for name and password */
	int answer_seconds;    /* for the broker, which has a limit of its own and a reason for the viewer */
	char peer[GATE_PEER_MAX];
};

/* Returns the process' exit code. */
int connection_run(const struct connection_settings *settings);

#endif
