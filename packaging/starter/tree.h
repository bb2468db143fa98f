/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The processes below this one, which is their sub-reaper (prctl(2) PR_SET_CHILD_SUBREAPER). */
#ifndef STARTER_TREE_H
#define STARTER_TREE_H

#include <stddef.h>
#include <sys/types.h>

/* All live descendants of this process: *ret (free) holds the returned number of pids. Negative errno. */
ssize_t tree_below(pid_t **ret);

/* Sends signal to each of them; returns how many there were. */
size_t tree_signal(int signal);

#endif
