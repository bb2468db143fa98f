/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A guest of the tests' own, at the end of the agent's socket. */
#ifndef TESTS_AGENT_GUEST_H
#define TESTS_AGENT_GUEST_H

#include "host/agent_codec.h"

#include <stdint.h>
#include <systemd/sd-event.h>

struct agent_guest {
	char directory[32], path[64], nonce[AGENT_NONCE_SIZE];
	int listener, port;
	sd_event *event;
};

/* Seconds that the monotonic clock is ahead, for a test that does not wait; linked with --wrap=clock_gettime. */
extern uint64_t agent_guest_skipped;

/* Listens at path, vm-desk-1/agent.sock in a directory of its own, and has the thread's event loop. */
int agent_guest_new(struct agent_guest *guest);
void agent_guest_clear(struct agent_guest *guest);

/* Runs the loop until nothing happens for a moment. */
void agent_guest_run(struct agent_guest *guest);

/* Takes the connection, and the nonce out of the host's hello. */
void agent_guest_open(struct agent_guest *guest);
void agent_guest_close(struct agent_guest *guest);
void agent_guest_say(struct agent_guest *guest, const char *text);
/* What the host says next, waited for; a text. */
void agent_guest_hear(struct agent_guest *guest, char *ret, size_t size);

#endif
