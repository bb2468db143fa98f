/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The connections a listener has: sockets whose peer has said nothing yet ("waiting"), and processes of those that
 * have. Counts them by address (IPv4, or IPv6 /64) and in all, and chooses which waiting one is dropped above the soft
 * cap.
 */
#ifndef GATE_WAITING_H
#define GATE_WAITING_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct address_key {
	uint8_t bytes[8]; /* IPv4: its 4 bytes behind 4 of 0xff; IPv6: the first 8 */
};

struct waiting_socket {
	int fd;
	struct address_key key;
	long long deadline; /* ms, CLOCK_MONOTONIC */
	char peer[80];      /* "ADDRESS PORT" */
};

struct connected_process {
	pid_t pid;
	struct address_key key;
};

struct waiting_limits {
	size_t total, per_address, soft;
};

struct waiting {
	struct waiting_limits limits;
	struct waiting_socket *sockets;
	size_t n_sockets;
	struct connected_process *processes;
	size_t n_processes;
};

/* Room for limits.total of each. 0 or -ENOMEM. */
int waiting_init(struct waiting *waiting, const struct waiting_limits *limits);
void waiting_clear(struct waiting *waiting);

struct address_key address_key(const struct sockaddr_storage *address);

/* NULL: a connection of this address may be taken; otherwise why not, for the log. */
const char *waiting_refusal(const struct waiting *waiting, struct address_key key);

/*
 * Adds a socket (taken over). Above the soft cap one of the waiting is closed first: `random` (any number) says which.
 */
void waiting_add(struct waiting *waiting, const struct waiting_socket *socket, uint32_t random);

/* Takes a socket off the list; its fd is the caller's. */
struct waiting_socket waiting_take(struct waiting *waiting, size_t index);

/* Closes the overdue ones; returns how many. */
size_t waiting_expire(struct waiting *waiting, long long now);

void waiting_process_started(struct waiting *waiting, pid_t pid, struct address_key key);
void waiting_process_ended(struct waiting *waiting, pid_t pid);

#endif
