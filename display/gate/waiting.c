/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/gate/waiting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int waiting_init(struct waiting *waiting, const struct waiting_limits *limits)
{
	*waiting = (struct waiting){.limits = *limits};
	waiting->sockets = calloc(limits->total, sizeof(*waiting->sockets));
	waiting->processes = calloc(limits->total, sizeof(*waiting->processes));
	if (waiting->sockets && waiting->processes)
		return 0;
	free(waiting->sockets);
	free(waiting->processes);
	*waiting = (struct waiting){0};
	return -ENOMEM;
}

void waiting_clear(struct waiting *waiting)
{
	while (waiting->n_sockets > 0)
		close(waiting_take(waiting, waiting->n_sockets - 1).fd);
	free(waiting->sockets);
	free(waiting->processes);
	*waiting = (struct waiting){0};
}

struct address_key address_key(const struct sockaddr_storage *address)
{
	struct address_key key = {{0xff, 0xff, 0xff, 0xff}};

	if (address->ss_family == AF_INET) {
		memcpy(key.bytes + 4, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
	} else if (address->ss_family == AF_INET6) {
		const struct in6_addr *in6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

		if (IN6_IS_ADDR_V4MAPPED(in6))
			memcpy(key.bytes + 4, in6->s6_addr + 12, 4);
		else
			memcpy(key.bytes, in6->s6_addr, 8);
	}
	return key;
}

static bool key_equal(struct address_key a, struct address_key b)
{
	return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

const char *waiting_refusal(const struct waiting *waiting, struct address_key key)
{
	size_t same = 0;

	if (waiting->n_sockets + waiting->n_processes >= waiting->limits.total)
		return "there are max-connections already";
	for (size_t i = 0; i < waiting->n_sockets; i++)
		same += key_equal(waiting->sockets[i].key, key);
	for (size_t i = 0; i < waiting->n_processes; i++)
		same += key_equal(waiting->processes[i].key, key);
	return same >= waiting->limits.per_address ? "there are max-per-address already from this address" : NULL;
}

void waiting_add(struct waiting *waiting, const struct waiting_socket *socket, uint32_t random)
{
	if (waiting->n_sockets >= waiting->limits.soft)
		close(waiting_take(waiting, random % waiting->n_sockets).fd);
	waiting->sockets[waiting->n_sockets++] = *socket;
}

struct waiting_socket waiting_take(struct waiting *waiting, size_t index)
{
	struct waiting_socket taken = waiting->sockets[index];

	waiting->sockets[index] = waiting->sockets[--waiting->n_sockets];
	return taken;
}

size_t waiting_expire(struct waiting *waiting, long long now)
{
	size_t expired = 0;

	for (size_t i = waiting->n_sockets; i-- > 0;)
		if (waiting->sockets[i].deadline <= now) {
			close(waiting_take(waiting, i).fd);
			expired++;
		}
	return expired;
}

void waiting_process_started(struct waiting *waiting, pid_t pid, struct address_key key)
{
	if (waiting->n_processes < waiting->limits.total)
		waiting->processes[waiting->n_processes++] = (struct connected_process){pid, key};
}

void waiting_process_ended(struct waiting *waiting, pid_t pid)
{
	for (size_t i = 0; i < waiting->n_processes; i++)
		if (waiting->processes[i].pid == pid) {
			waiting->processes[i] = waiting->processes[--waiting->n_processes];
			return;
		}
}
