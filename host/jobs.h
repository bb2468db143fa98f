/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Work that may block (disks), in a few threads; its end is told on the event loop. */
#ifndef HOST_JOBS_H
#define HOST_JOBS_H

#include "common/error.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

struct jobs;

/* In a thread, touching nothing but data. 0 or negative errno with err's text. */
typedef int (*job_work_fn)(void *data, struct error *err);
/* On the loop, exactly once for each job; -ECANCELED when jobs_free came first. */
typedef void (*job_done_fn)(int r, const struct error *err, void *data);

/* threads: how many jobs run at once; the others wait in order. */
int jobs_new(sd_event *event, unsigned threads, struct jobs **ret);
/* Waits for what runs: long work asks jobs_stopping now and then. */
void jobs_free(struct jobs *jobs);

/* 0 or -ENOMEM, then done is not called. */
int jobs_start(struct jobs *jobs, job_work_fn work, job_done_fn done, void *data);

/* From any thread: whether jobs_free waits. */
bool jobs_stopping(const struct jobs *jobs);

#endif
