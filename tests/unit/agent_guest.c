/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/packet.h"
#include "tests/unit/agent_guest.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

uint64_t agent_guest_skipped;

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	int r = __real_clock_gettime(clock, ret);

	if (clock == CLOCK_MONOTONIC)
		ret->tv_sec += (time_t)agent_guest_skipped;
	return r;
}

int agent_guest_new(struct agent_guest *guest)
{
	snprintf(guest->directory, sizeof(guest->directory), "/tmp/agent-XXXXXX");
	if (!mkdtemp(guest->directory))
		return -1;
	snprintf(guest->path, sizeof(guest->path), "%s/vm-desk-1", guest->directory);
	if (mkdir(guest->path, 0700) < 0)
		return -1;
	snprintf(guest->path, sizeof(guest->path), "%s/vm-desk-1/agent.sock", guest->directory);
	guest->port = -1;
	guest->listener = socket_listen(guest->path, SOCK_STREAM, 4, 0600);
	return guest->listener < 0 || sd_event_default(&guest->event) < 0 ? -1 : 0;
}

void agent_guest_clear(struct agent_guest *guest)
{
	sd_event_unref(guest->event);
	close(guest->listener);
	closep(&guest->port);
	fs_remove_tree(guest->directory);
}

void agent_guest_run(struct agent_guest *guest)
{
	while (sd_event_run(guest->event, 20000) > 0)
		;
}

void agent_guest_open(struct agent_guest *guest)
{
	char data[256];
	const char *at;

	for (int i = 0; i < 500 && guest->port < 0; i++) {
		agent_guest_run(guest);
		guest->port = accept(guest->listener, NULL, NULL);
	}
	assert_true(guest->port >= 0);
	agent_guest_hear(guest, data, sizeof(data));
	at = strstr(data, "\"nonce\":\"");
	assert_non_null(at);
	memcpy(guest->nonce, at + 9, AGENT_NONCE_SIZE - 1);
}

void agent_guest_close(struct agent_guest *guest)
{
	close(guest->port);
	guest->port = -1;
}

void agent_guest_say(struct agent_guest *guest, const char *text)
{
	assert_int_equal(send(guest->port, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	agent_guest_run(guest);
}

void agent_guest_hear(struct agent_guest *guest, char *ret, size_t size)
{
	ssize_t n;

	agent_guest_run(guest);
	n = recv(guest->port, ret, size - 1, 0);
	assert_true(n > 0);
	ret[n] = '\0';
}
