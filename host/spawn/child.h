/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Starts one program of the table in two steps, so that its record is there before it runs: child_fork makes a process
 * that waits, child_go lets it execute. One that was never told to go ends by itself when hotdesk-spawn is killed.
 */
#ifndef SPAWN_CHILD_H
#define SPAWN_CHILD_H

#include "common/error.h"
#include "host/spawn/table.h"

struct child_plan {
	const struct spawn_entry *entry;
	const char *path;  /* of the binary, resolved */
	char *const *argv; /* with argv[0] */
	const int *fds;    /* become 3, 4, ... in the child */
	size_t n_fds;
	int stderr_index; /* of fds, or -1 */
	bool change_uid;
	uid_t uid;
	gid_t kvm_group; /* 0: none */
	bool namespaces; /* those of the table can be made */
};

struct child {
	pid_t pid;
	int pidfd;
	int go, failure; /* pipes: to the child, from it */
};

/* 0, or negative errno with err's text. Ends in child_go or child_abort. */
int child_fork(const struct child_plan *plan, struct child *ret, struct error *err);

/*
 * 0 once exec succeeded; the pidfd is the caller's. Negative errno with err's text when any step up to exec failed: the
 * child is reaped. Waits for the child's exec: milliseconds, bounded by the kernel alone.
 */
int child_go(struct child *child, const struct child_plan *plan, struct error *err);

void child_abort(struct child *child);

/* Whether the table's namespaces can be made here (tried in a process of its own). */
bool child_can_unshare(void);

#endif
