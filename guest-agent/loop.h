/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The agent's event loop: epoll with one callback for each fd, so that the guest needs no libsystemd. */
#ifndef GUEST_AGENT_LOOP_H
#define GUEST_AGENT_LOOP_H

#include <stdint.h>

struct loop;
struct watch;

/* events: the EPOLL* bits that are there. The watch may free itself. */
typedef void (*loop_fn)(uint32_t events, void *userdata);

int loop_new(struct loop **ret);
/* Closes the loop; the watches were freed before. Takes NULL. */
void loop_free(struct loop *loop);
void loop_freep(struct loop **loop);

/* Calls fn when one of `events` is there on fd, which stays the caller's and is closed after watch_free. 0 or -errno.
 */
int loop_watch(struct loop *loop, int fd, uint32_t events, loop_fn fn, void *userdata, struct watch **ret);
/* Waits for other events. 0 or -errno. */
int watch_set(struct watch *watch, uint32_t events);
/* Calls fn each `ms` milliseconds. */
int loop_every(struct loop *loop, unsigned ms, loop_fn fn, void *userdata, struct watch **ret);
/* Takes NULL. */
void watch_free(struct watch *watch);

/* Runs until loop_stop or SIGTERM or SIGINT (blocked by loop_new); may be called again then. 0 or -errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif
