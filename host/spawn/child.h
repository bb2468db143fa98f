/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Starts one program of the table. */
#ifndef SPAWN_CHILD_H
#define SPAWN_CHILD_H

#include "common/error.h"
#include "host/spawn/table.h"

struct child_plan {
	const struct spawn_entry *entry;
	uint32_t slot;
	const char *path;  /* of the binary, resolved */
	char *const *argv; /* with argv[0] */
	const int *fds;    /* become 3, 4, ... in the child */
	size_t n_fds;
	int stderr_index; /* of fds, or -1 */
	bool change_uid;
	uid_t uid;
};

/*
 * Forks and executes. 0 with *ret_pid and *ret_pidfd (the caller's) once exec succeeded; negative errno with err's text
 * when any step up to exec failed, and then nothing runs. Waits for the child's exec: milliseconds, bounded by the
 * kernel alone.
 */
int child_start(const struct child_plan *plan, pid_t *ret_pid, int *ret_pidfd, struct error *err);

#endif
