/* SPDX-License-Identifier: GPL-3.0-or-later */
/* build-image (packaging/image) as a child: in a process group of its own, its progress shown, ended by what ends us.
 */
#ifndef CLI_BUILDER_H
#define CLI_BUILDER_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

#define BUILDER_TEXT_SIZE 400

/* A line that build-image says on its --progress-fd. */
struct builder_line {
	enum { BUILDER_AT, BUILDER_STEP, BUILDER_ERROR } kind;
	uint32_t number; /* AT: percent; STEP: seconds that it took */
	char text[BUILDER_TEXT_SIZE];
};

/* "at PERCENT TEXT", "step NAME SECONDS", "error TEXT"; -EBADMSG for anything else. */
int builder_line_parse(const char *line, struct builder_line *ret);

/*
 * Runs argv[0] with room for two more arguments behind the last, and waits. 0, -EINTR when a signal ended it, else what
 * it said is in err. It leaves no process.
 */
int builder_run(char **argv, struct error *err);

#endif
