/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the mains of programs share: options, configuration, signals, event loop. */
#ifndef COMMON_PROGRAM_H
#define COMMON_PROGRAM_H

#include "common/conf.h"
#include "common/error.h"

#include <systemd/sd-event.h>

/* The event loop of a program: SIGTERM and SIGINT end it, SIGCHLD is blocked for it, SIGPIPE ignored. */
int program_loop(sd_event **ret);

/* Runs the loop it is given. Negative errno with err's text. */
typedef int (*program_run_fn)(sd_event *event, const struct conf *conf, struct error *err);

/* Knows --config FILE, --help and --version. Returns main's exit code: 0, 1 (failed, also for a
 * configuration that is not understood), 2 (usage). */
int program_main(const char *name, const char *summary, int argc, char **argv, program_run_fn run);

#endif
