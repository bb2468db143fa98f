/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A program that hotdesk-spawn starts for the broker, and that the broker talks to on a listening control socket:
 * hotdesk-screen, hotdesk-display; or does not, as a desktop's PulseAudio. A restarted broker adopts the slot's process
 * and connects to its socket again.
 */
#ifndef BROKER_CHILD_H
#define BROKER_CHILD_H

#include "broker/broker.h"

#include <systemd/sd-bus.h>

#define CHILD_ARGS_MAX 24
#define CHILD_FDS_MAX 2

struct child;

struct child_kind {
	enum spawn_kind kind;
	const char *path, *interface; /* of its D-Bus object; NULL: there is none, and no control socket */
	uint32_t version;
	/* Adds matches before anything is asked on a new connection; negative ends the program. */
	int (*setup)(sd_bus *bus, void *userdata);
	/* Hello was answered: calls may be made. Comes again when the connection had to be made again (`again`).
	 * Without an object: it runs, which it did before where it was adopted (`again`). */
	void (*up)(bool again, void *userdata);
	/* The process is no more, or could not be started or adopted (-ESRCH: nothing to adopt). The last call; free it
	 * then. */
	void (*ended)(const struct error *err, void *userdata);
};

/* The socket is RUNTIME_DIR/broker/NAME.sock (name NULL: none); tag is what the process is known by when it is adopted.
 * Nothing happens yet. */
int child_new(struct broker *broker, const struct child_kind *kind, uint32_t slot, const char *tag, const char *name,
	      void *userdata, struct child **ret);
/* Leaves a running process alone. */
void child_free(struct child *child);

/*
 * Starts it: fds are given to it as 3, 4, ... and the control socket behind them (duplicated; the caller keeps its
 * own). A process that still holds the slot is ended first. Or adopts what runs in the slot under this tag; another one
 * there is ended.
 */
int child_start(struct child *child, const char *const *argv, const int *fds, size_t n_fds);
int child_adopt(struct child *child);

/* SIGTERM, or SIGKILL where it must go now; also what is still being started. `ended` follows. */
void child_end(struct child *child, bool now);

/* NULL unless it is up; child may be NULL. */
sd_bus *child_bus(struct child *child);

/* Calls a method of its object (sd_bus_call_method_async); -ENOTCONN unless it is up. */
int child_call(struct child *child, sd_bus_message_handler_t done, void *userdata, const char *method,
	       const char *types, ...);
int child_callv(struct child *child, sd_bus_message_handler_t done, void *userdata, const char *method,
		const char *types, va_list args);

#endif
