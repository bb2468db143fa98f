/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One program that the starter keeps running: started, watched, started again with back-off. */
#ifndef STARTER_PROGRAM_H
#define STARTER_PROGRAM_H

#include "common/conf.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct program {
	const char *name;    /* "gate" of hotdesk-gate */
	enum conf_id run_as; /* [run-as] key, or CONF_COUNT: the starter's own user */
	bool private_state;  /* STATE_DIR/NAME is 0700 instead of 0711 */
	bool wanted;
	uid_t uid;
	gid_t gid;
	pid_t pid;                  /* 0: not running */
	uint64_t started, start_at; /* us, CLOCK_MONOTONIC */
	uint64_t backoff;           /* us until the next start after an early end */
};

struct starter {
	const struct conf *conf;
	const char *conf_path; /* NULL: none was named */
	char beside[4096];     /* the directory of the programs */
	struct program *programs;
	size_t n_programs;
};

/* Resolves [run-as] names and numbers. */
int program_resolve_user(const struct starter *starter, struct program *program, struct error *err);

/* -ENOENT and the like where the program does not lie beside the starter or may not be executed. */
int program_find(const struct starter *starter, const struct program *program, struct error *err);

/* Makes RUNTIME_DIR/NAME and STATE_DIR/NAME with their owner, and removes sockets a former run left. */
int program_prepare(const struct starter *starter, const struct program *program, struct error *err);

/* Forks and executes; the pid is written to RUNTIME_DIR/starter/NAME.pid. */
int program_start(const struct starter *starter, struct program *program, uint64_t now, struct error *err);

/* It ended with wait(2)'s status: logs how and sets start_at. */
void program_ended(struct program *program, int status, uint64_t now);

#endif
