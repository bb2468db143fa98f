/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One whole broker on a real store in a directory of its own, between the neighbours of broker_fakes.h. */
#ifndef BROKER_WORLD_H
#define BROKER_WORLD_H

#include "broker/broker.h"
#include "broker/desktop.h"
#include "broker/gate_api.h"

#define TURNS 20000 /* of at most 1 ms each: never reached unless something is wrong */

struct world {
	char directory[64];
	sd_event *event;
	struct conf *conf;
	struct broker *broker;
	bool hold; /* auth does not answer */
	int streams[8];
	size_t n_streams;
};

struct fake_process;

extern struct world world;

#define until(condition)                                                                                               \
	do {                                                                                                           \
		int turns_ = 0;                                                                                        \
		while (!(condition)) {                                                                                 \
			if (++turns_ > TURNS)                                                                          \
				fail_msg("never: %s", #condition);                                                     \
			pump(1000);                                                                                    \
		}                                                                                                      \
	} while (0)

/* One event of the loop, waited for at most so long. */
void pump(uint64_t usec);
/* Until nothing is left to do at once. */
void settle(void);
void start_broker(void);
void restart_broker(void);

/* Nothing can be written to any file of this process, as on a full disk; or it can again. */
void fill_disk(bool full);

/* For cmocka. */
int world_set_up(void **state);
int world_tear_down(void **state);

/* The pool `desk`, for everybody. */
void make_pool(enum pool_kind kind, uint32_t max, uint32_t min_spare);

/* A gate's connection that has sent its login. */
int knock(const char *name);
/* Waits for the answer; the stream, or -1 with the reason. */
int answer_of(int gate, struct gate_result *ret);
/* Both; the stream stays open to the end of the test. */
void log_in(const char *name);

/* A pool without spares, and the first login in it. */
struct desktop *alice_in_pool(enum pool_kind kind, uint32_t max);
/* Displays have slots in the order of their logins. */
struct fake_process *display(uint32_t slot);
/* Active, and the same as before. */
void assert_session_goes_on(const struct desktop *desktop, int64_t session);

struct desktop *first_desktop(void);
/* In the store. */
size_t count_desktops(void);
size_t count_viewers(void);

#endif
