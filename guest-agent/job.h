/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A program run beside the loop, with an end to the patience for it; its last line of output says how it went. */
#ifndef GUEST_AGENT_JOB_H
#define GUEST_AGENT_JOB_H

#include "guest-agent/loop.h"

#include <stdbool.h>

struct job;

/* good: it exited with 0. line: the last one that it wrote, or, when not good, what happened to it; valid during the
 * call. The job is gone then. */
typedef void (*job_fn)(bool good, const char *line, void *userdata);

/*
 * Runs argv[0] (looked for in PATH; argv ends with NULL) in a process group of its own, without input. It is killed
 * after `seconds` (0: may take as long as it likes). 0 or -errno; done is not called within.
 */
int job_run(struct loop *loop, const char *const *argv, unsigned seconds, job_fn done, void *userdata,
	    struct job **ret);
/* Kills it; done is not called. Takes NULL. */
void job_free(struct job *job);

#endif
