/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/child.h"

#include "common/bus.h"
#include "common/cleanup.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_USEC UINT64_C(50000)
#define TRIES_MAX 60 /* of RETRY_USEC, until the slot's old process is gone or the socket answers */

struct child {
	struct broker *broker;
	const struct child_kind *kind;
	void *userdata;
	uint32_t slot;
	char tag[SPAWN_TAG_MAX];
	char path[PATH_MAX];
	char *argv[CHILD_ARGS_MAX + 1];
	int fds[CHILD_FDS_MAX + 1]; /* kept until it is started; the listening socket is the last */
	size_t n_fds;
	sd_event_source *pid, *timer;
	sd_bus *bus;
	sd_bus_slot *disconnect;
	unsigned tries;
	bool greeted, was_up, ending, ending_now, adopting;
	struct error err;
};

static void try_start(struct child *child);
static void try_connect(struct child *child);
static void ask(struct child *child);

static void drop_bus(struct child *child)
{
	child->greeted = false;
	child->disconnect = sd_bus_slot_unref(child->disconnect);
	child->bus = sd_bus_close_unref(child->bus);
}

static void drop_start(struct child *child)
{
	for (size_t i = 0; i < child->n_fds; i++)
		closep(&child->fds[i]);
	child->n_fds = 0;
	for (size_t i = 0; child->argv[i]; i++) {
		free(child->argv[i]);
		child->argv[i] = NULL;
	}
}

static void ended(struct child *child)
{
	struct error err = child->err;

	if (child->path[0])
		unlink(child->path);
	child->pid = sd_event_source_disable_unref(child->pid);
	child->timer = sd_event_source_disable_unref(child->timer);
	drop_bus(child);
	drop_start(child);
	child->kind->ended(&err, child->userdata);
}

static void fail(struct child *child, const struct error *err)
{
	if (child->err.code == 0)
		child->err = *err;
}

static void signal_it(struct child *child, int number)
{
	spawn_client_signal(child->broker->spawn, child->kind->kind, child->slot, number, NULL, NULL);
}

static int retry(struct child *child, sd_event_time_handler_t fn)
{
	return broker_timer(child->broker, &child->timer, RETRY_USEC, fn, child);
}

static int connect_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	try_connect(userdata);
	return 0;
}

/* The connection ended though the process may live: its end, if it is one, comes by the pidfd. */
static int disconnected(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct child *child = userdata;

	(void)message;
	(void)ret_error;
	drop_bus(child);
	if (!child->ending)
		retry(child, connect_again);
	return 0;
}

static void hello_done(int r, const struct error *err, void *userdata)
{
	struct child *child = userdata;
	bool again = child->was_up;

	if (r < 0) {
		fail(child, err);
		child_end(child, true);
		return;
	}
	child->tries = 0;
	child->greeted = true;
	child->was_up = true;
	child->kind->up(again || child->adopting, child->userdata);
}

static int greet(struct child *child)
{
	/* It has no fd to give: whatever it became, it cannot use up the broker's. */
	int r = bus_connect_limited(child->broker->event, child->path, 0, &child->bus);

	if (r < 0)
		return r;
	r = bus_on_disconnect(child->bus, disconnected, child, &child->disconnect);
	if (r >= 0)
		r = child->kind->setup(child->bus, child->userdata);
	if (r >= 0)
		r = bus_hello(child->bus, child->kind->path, child->kind->interface, child->kind->version, hello_done,
			      child);
	return r;
}

static void try_connect(struct child *child)
{
	struct error err = {0};
	int r;

	if (child->ending)
		return;
	r = greet(child);
	if (r >= 0)
		return;
	drop_bus(child);
	if (++child->tries < TRIES_MAX) {
		retry(child, connect_again);
		return;
	}
	error_set_errno(&err, r, "the control socket of %s cannot be reached", child->tag);
	fail(child, &err);
	child_end(child, true);
}

static int process_ended(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source;
	(void)fd;
	(void)events;
	ended(userdata);
	return 0;
}

/* Takes pidfd over. */
static int watch_pid(struct child *child, int pidfd)
{
	int r = sd_event_add_io(child->broker->event, &child->pid, pidfd, EPOLLIN, process_ended, child);

	if (r < 0) {
		close(pidfd);
		return r;
	}
	sd_event_source_set_io_fd_own(child->pid, 1);
	return 0;
}

/* It runs: talk to it, or end it where that was decided meanwhile. Takes pidfd over. */
static void runs(struct child *child, int pidfd)
{
	struct error err = {0};
	int r = watch_pid(child, pidfd);

	child->tries = 0;
	drop_start(child);
	if (r < 0) {
		signal_it(child, SIGKILL);
		error_set_errno(&err, r, "the process of %s cannot be watched", child->tag);
		fail(child, &err);
		ended(child);
	} else if (child->ending) {
		signal_it(child, child->ending_now ? SIGKILL : SIGTERM);
	} else if (child->kind->interface) {
		try_connect(child);
	} else {
		child->kind->up(child->adopting, child->userdata);
	}
}

static int start_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	try_start(userdata);
	return 0;
}

static void started(int r, const struct spawn_reply *reply, int pidfd, const struct error *err, void *userdata)
{
	struct child *child = userdata;

	(void)reply;
	if (r >= 0) {
		runs(child, pidfd);
		return;
	}
	/* Also after a lost answer: what may run in the slot is nobody's. */
	signal_it(child, SIGKILL);
	if (r == -EEXIST && !child->ending && ++child->tries < TRIES_MAX) {
		retry(child, start_again);
		return;
	}
	fail(child, err);
	ended(child);
}

static void try_start(struct child *child)
{
	struct error err = {0};
	int r;

	if (child->ending) {
		ended(child);
		return;
	}
	r = spawn_client_start(child->broker->spawn, child->kind->kind, child->slot, child->tag,
			       (const char *const *)child->argv, child->fds, child->n_fds, -1, started, child);
	if (r < 0) {
		error_set_errno(&err, r, "%s cannot be started", child->tag);
		fail(child, &err);
		ended(child);
	}
}

static int keep_fd(struct child *child, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return -errno;
	child->fds[child->n_fds++] = copy;
	return 0;
}

static int keep_argv(struct child *child, const char *const *argv)
{
	for (size_t i = 0; argv[i]; i++) {
		if (i >= CHILD_ARGS_MAX)
			return -E2BIG;
		child->argv[i] = strdup(argv[i]);
		if (!child->argv[i])
			return -ENOMEM;
	}
	return 0;
}

static int keep_control_socket(struct child *child)
{
	int listen_fd = bus_listen(child->path, 0600);

	if (listen_fd < 0)
		return listen_fd;
	child->fds[child->n_fds++] = listen_fd;
	return 0;
}

int child_start(struct child *child, const char *const *argv, const int *fds, size_t n_fds)
{
	int r;

	if (n_fds > CHILD_FDS_MAX)
		return -E2BIG;
	drop_start(child);
	r = keep_argv(child, argv);
	for (size_t i = 0; r >= 0 && i < n_fds; i++)
		r = keep_fd(child, fds[i]);
	if (r >= 0 && child->path[0])
		r = keep_control_socket(child);
	if (r < 0)
		return r;
	return spawn_client_start(child->broker->spawn, child->kind->kind, child->slot, child->tag,
				  (const char *const *)child->argv, child->fds, child->n_fds, -1, started, child);
}

static int ask_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	ask(userdata);
	return 0;
}

static void answered(int r, const struct spawn_reply *reply, int pidfd, const struct error *err, void *userdata)
{
	struct child *child = userdata;
	struct error other = {0};

	if (r == -ETIMEDOUT || r == -ECONNRESET) {
		retry(child, ask_again);
		return;
	}
	if (r < 0) {
		fail(child, err);
		ended(child);
		return;
	}
	if (strncmp(reply->tag, child->tag, sizeof(reply->tag)) != 0) {
		error_set(&other, -ESRCH, "the slot is held by another program");
		fail(child, &other);
		child->ending = child->ending_now = true;
	}
	runs(child, pidfd);
}

static void ask(struct child *child)
{
	struct error err = {0};
	int r = spawn_client_get(child->broker->spawn, child->kind->kind, child->slot, answered, child);

	if (r < 0) {
		error_set_errno(&err, r, "hotdesk-spawn cannot be asked for %s", child->tag);
		fail(child, &err);
		ended(child);
	}
}

int child_adopt(struct child *child)
{
	child->adopting = true;
	return spawn_client_get(child->broker->spawn, child->kind->kind, child->slot, answered, child);
}

void child_end(struct child *child, bool now)
{
	child->ending = true;
	child->ending_now = child->ending_now || now;
	if (child->pid)
		signal_it(child, child->ending_now ? SIGKILL : SIGTERM);
}

sd_bus *child_bus(struct child *child)
{
	return child && child->greeted ? child->bus : NULL;
}

int child_callv(struct child *child, sd_bus_message_handler_t done, void *userdata, const char *method,
		const char *types, va_list args)
{
	sd_bus *bus = child_bus(child);

	if (!bus)
		return -ENOTCONN;
	return sd_bus_call_method_asyncv(bus, NULL, NULL, child->kind->path, child->kind->interface, method, done,
					 userdata, types, args);
}

int child_call(struct child *child, sd_bus_message_handler_t done, void *userdata, const char *method,
	       const char *types, ...)
{
	va_list args;
	int r;

	va_start(args, types);
	r = child_callv(child, done, userdata, method, types, args);
	va_end(args);
	return r;
}

int child_new(struct broker *broker, const struct child_kind *kind, uint32_t slot, const char *tag, const char *name,
	      void *userdata, struct child **ret)
{
	struct child *child = calloc(1, sizeof(*child));
	int r = 0;

	if (!child)
		return -ENOMEM;
	child->broker = broker;
	child->kind = kind;
	child->slot = slot;
	child->userdata = userdata;
	snprintf(child->tag, sizeof(child->tag), "%s", tag);
	if (name)
		r = broker_path(broker, child->path, sizeof(child->path), "%s.sock", name);
	if (r < 0) {
		free(child);
		return r;
	}
	*ret = child;
	return 0;
}

void child_free(struct child *child)
{
	if (!child)
		return;
	spawn_client_forget(child->broker->spawn, child);
	sd_event_source_disable_unref(child->pid);
	sd_event_source_disable_unref(child->timer);
	drop_bus(child);
	drop_start(child);
	free(child);
}
