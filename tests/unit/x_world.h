/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An Xvfb, xclip on it, and the agent's loop run until something is so. Fails the test where one of them does. */
#ifndef TESTS_UNIT_X_WORLD_H
#define TESTS_UNIT_X_WORLD_H

#include "guest-agent/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define X_WORLD_TEXT "\xe2\x82\xac\xe6\x97\xa5\xe6\x9c\xac\xf0\x9f\x91\x8d" /* €日本👍 */

struct x_world {
	struct loop *loop;
	char directory[64];
	pid_t server;
	/* While x_world_run goes on: */
	struct watch *step;
	bool (*is_so)(void *userdata);
	void *userdata;
	bool found;
	int steps;
};

/* Seconds by which CLOCK_MONOTONIC runs ahead for the code under test. */
extern uint64_t x_world_skipped;

void x_world_new(struct x_world *world);
/* Starts the Xvfb and sets DISPLAY. */
void x_world_start(struct x_world *world);
void x_world_clear(struct x_world *world);

/* Runs the loop until is_so(userdata). */
void x_world_run(struct x_world *world, const char *what, bool (*is_so)(void *userdata), void *userdata);

/* xclip with these arguments, which owns a selection with this text until it is ended. */
pid_t x_world_copy(struct x_world *world, const char *selection, const char *text, size_t size);
void x_world_end(pid_t pid);

/* xclip that pastes. */
struct x_world_paste {
	pid_t pid;
	int status;
	char path[96];
	char *text; /* once it has ended well; the test's */
	size_t size;
};

void x_world_paste(struct x_world *world, const char *selection, const char *target, struct x_world_paste *ret);
/* For x_world_run: it has ended. */
bool x_world_pasted(void *paste);

/* So many bytes of UTF-8 with all lengths of sequences; the caller's. */
char *x_world_long_text(size_t size);

#endif
