/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The processes hotdesk-spawn has started, by kind and slot, each with a record in a file, so that a spawn started
 * again after SIGKILL knows them: a process is taken for ours when the boot id and its start time (/proc/PID/stat) are
 * the recorded ones.
 */
#ifndef SPAWN_SLOT_H
#define SPAWN_SLOT_H

#include "host/spawn/spawn_api.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct slot {
	enum spawn_kind kind;
	uint32_t number;
	pid_t pid;
	int pidfd;
	unsigned long long start_time; /* clock ticks after boot */
	char tag[SPAWN_TAG_MAX];
	struct slot *next;
};

struct slots;

/* Reads the records below directory and drops those whose process is gone. 0 or -errno. */
int slots_load(const char *directory, struct slots **ret);
void slots_free(struct slots *slots);

/* The live process of a slot, or NULL; one found dead is dropped. */
struct slot *slots_find(struct slots *slots, enum spawn_kind kind, uint32_t number);

/*
 * Records a process before it runs its program; pidfd is taken over, also on failure. *ret stays the slots'. 0 or
 * -errno.
 */
int slots_add(struct slots *slots, enum spawn_kind kind, uint32_t number, pid_t pid, int pidfd, const char *tag,
	      struct slot **ret);

/* Forgets a process that was reaped. */
void slots_reaped(struct slots *slots, pid_t pid);

/* Sends signal to every process that still lives; returns how many there were. */
size_t slots_signal(struct slots *slots, int signal);

#endif
