/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Asks hotdesk-spawn (host/spawn/spawn_api.h). Replies come on the event loop; the connection is made again by itself
 * after spawn was restarted.
 */
#ifndef COMMON_SPAWN_CLIENT_H
#define COMMON_SPAWN_CLIENT_H

#include "common/error.h"
#include "host/spawn/spawn_api.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

struct spawn_client;

/* reply is valid during the call; pidfd (or -1) is the callee's. r < 0: spawn was not reached in 10 s, err says so. */
typedef void (*spawn_done_fn)(int r, const struct spawn_reply *reply, int pidfd, const struct error *err,
			      void *userdata);

int spawn_client_new(sd_event *event, const char *socket_path, struct spawn_client **ret);
void spawn_client_free(struct spawn_client *client);

/*
 * Queues a START. argv: NULL-terminated, without argv[0]. fds are duplicated, the caller keeps its own. -E2BIG when it
 * does not fit.
 */
int spawn_client_start(struct spawn_client *client, enum spawn_kind kind, uint32_t slot, const char *tag,
		       const char *const *argv, const int *fds, size_t n_fds, int stderr_index, spawn_done_fn done,
		       void *userdata);
int spawn_client_get(struct spawn_client *client, enum spawn_kind kind, uint32_t slot, spawn_done_fn done,
		     void *userdata);
/* done may be NULL. */
int spawn_client_signal(struct spawn_client *client, enum spawn_kind kind, uint32_t slot, int signal,
			spawn_done_fn done, void *userdata);
int spawn_client_status(struct spawn_client *client, spawn_done_fn done, void *userdata);

/* Whether this machine has the program of SPAWN_SOUND; asks nobody. */
bool spawn_client_has_sound(void);

/* Forgets queued and running requests of this userdata: their `done` is not called (a START still happens). */
void spawn_client_forget(struct spawn_client *client, void *userdata);

#endif
