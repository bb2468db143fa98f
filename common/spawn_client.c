/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/spawn_client.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SPAWN_TIMEOUT_USEC (10 * UINT64_C(1000000))
#define SPAWN_RETRY_USEC UINT64_C(100000)

/* One request: queued, or sent and waiting for its reply (replies come in order). */
struct spawn_call {
	struct spawn_call *next;
	struct spawn_request request;
	int fds[SPAWN_FDS_MAX];
	uint64_t deadline; /* CLOCK_MONOTONIC, us */
	spawn_done_fn done;
	void *userdata;
	bool sent;
};

struct spawn_client {
	sd_event *event;
	char *path;
	int fd;
	sd_event_source *io, *timer;
	struct spawn_call *calls;
};

static void spawn_call_free(struct spawn_call *call)
{
	for (size_t i = 0; i < SPAWN_FDS_MAX; i++)
		closep(&call->fds[i]);
	free(call);
}

static void spawn_client_disconnect(struct spawn_client *client)
{
	client->io = sd_event_source_disable_unref(client->io);
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

/* The caller has taken the call off the list. */
static void spawn_call_finish(struct spawn_call *call, int r, const struct spawn_reply *reply, int pidfd,
			      const struct error *err)
{
	if (call->done)
		call->done(r, reply, pidfd, err, call->userdata);
	else
		closep(&pidfd);
	spawn_call_free(call);
}

static void spawn_call_fail(struct spawn_call *call, int r, const char *text)
{
	struct error err = {0};

	error_set(&err, r, "%s", text);
	spawn_call_finish(call, r, NULL, -1, &err);
}

/* A START whose reply was lost may have happened: it fails, so that nobody starts it twice; the rest is asked again. */
static void spawn_client_lost(struct spawn_client *client)
{
	struct spawn_call **at = &client->calls, *failed = NULL;

	spawn_client_disconnect(client);
	while (*at) {
		struct spawn_call *call = *at;

		if (call->sent && call->request.op == SPAWN_START) {
			*at = call->next;
			call->next = failed;
			failed = call;
			continue;
		}
		call->sent = false;
		at = &call->next;
	}
	while (failed) {
		struct spawn_call *call = failed;

		failed = call->next;
		spawn_call_fail(call, -ECONNRESET, "hotdesk-spawn was restarted while it started a program: try again");
	}
}

static void spawn_client_answer(struct spawn_client *client, const struct spawn_reply *reply, int pidfd)
{
	struct spawn_call *call = client->calls;
	struct error err = {0};

	if (!call || !call->sent || reply->version != SPAWN_API_VERSION) {
		closep(&pidfd);
		spawn_client_lost(client);
		return;
	}
	client->calls = call->next;
	if (reply->result < 0)
		error_set(&err, reply->result, "%.*s", (int)sizeof(reply->text), reply->text);
	spawn_call_finish(call, reply->result, reply, pidfd, &err);
}

static int spawn_client_readable(sd_event_source *source, int fd, uint32_t events, void *userdata);

static int spawn_client_reach(struct spawn_client *client)
{
	int r;

	if (client->fd >= 0)
		return 0;
	client->fd = packet_connect(client->path);
	if (client->fd < 0) {
		r = client->fd;
		client->fd = -1;
		return r;
	}
	r = fd_set_nonblock(client->fd, 1);
	if (r >= 0)
		r = sd_event_add_io(client->event, &client->io, client->fd, EPOLLIN, spawn_client_readable, client);
	if (r < 0)
		spawn_client_disconnect(client);
	return r < 0 ? r : 0;
}

static void spawn_client_flush(struct spawn_client *client)
{
	if (!client->calls || spawn_client_reach(client) < 0)
		return;
	for (struct spawn_call *call = client->calls; call; call = call->next) {
		int r;

		if (call->sent)
			continue;
		r = packet_send(client->fd, &call->request, sizeof(call->request), call->fds, call->request.n_fds);
		if (r == -EAGAIN)
			return;
		if (r < 0) {
			spawn_client_lost(client);
			return;
		}
		call->sent = true;
	}
}

static void spawn_client_schedule(struct spawn_client *client)
{
	sd_event_source_set_time_relative(client->timer, SPAWN_RETRY_USEC);
	sd_event_source_set_enabled(client->timer, client->calls ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int spawn_client_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct spawn_client *client = userdata;
	struct spawn_reply reply;
	int pidfd = -1;
	size_t n_fds = 0;
	int r = packet_recv(fd, &reply, sizeof(reply), &pidfd, 1, &n_fds);

	(void)source;
	(void)events;
	if (r == -EAGAIN)
		return 0;
	if (r <= 0)
		spawn_client_lost(client);
	else
		spawn_client_answer(client, &reply, n_fds ? pidfd : -1);
	spawn_client_flush(client);
	spawn_client_schedule(client);
	return 0;
}

static struct spawn_call *spawn_client_take_late(struct spawn_client *client)
{
	uint64_t now = clock_usec();

	for (struct spawn_call **at = &client->calls; *at; at = &(*at)->next) {
		struct spawn_call *call = *at;

		if (call->deadline > now)
			continue;
		/* The reply may still come and would be taken for the next call's. */
		if (call->sent)
			spawn_client_disconnect(client);
		*at = call->next;
		return call;
	}
	return NULL;
}

static int spawn_client_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct spawn_client *client = userdata;
	struct spawn_call *late;

	(void)source;
	(void)usec;
	while ((late = spawn_client_take_late(client))) {
		bool sent = late->sent;

		spawn_call_fail(late, -ETIMEDOUT,
				"hotdesk-spawn did not answer within 10 s: see that it runs and what it logged");
		if (sent)
			spawn_client_lost(client);
	}
	spawn_client_flush(client);
	spawn_client_schedule(client);
	return 0;
}

int spawn_client_new(sd_event *event, const char *socket_path, struct spawn_client **ret)
{
	struct spawn_client *client = calloc(1, sizeof(*client));
	int r = -ENOMEM;

	if (!client)
		return r;
	client->fd = -1;
	client->event = sd_event_ref(event);
	client->path = strdup(socket_path);
	if (client->path)
		/* Accuracy 0 would be sd-event's 250 ms: a login waits for this timer. */
		r = sd_event_add_time_relative(event, &client->timer, CLOCK_MONOTONIC, SPAWN_RETRY_USEC, 1,
					       spawn_client_tick, client);
	if (r >= 0)
		r = sd_event_source_set_enabled(client->timer, SD_EVENT_OFF);
	if (r < 0) {
		spawn_client_free(client);
		return r;
	}
	*ret = client;
	return 0;
}

void spawn_client_free(struct spawn_client *client)
{
	if (!client)
		return;
	spawn_client_disconnect(client);
	sd_event_source_disable_unref(client->timer);
	while (client->calls) {
		struct spawn_call *call = client->calls;

		client->calls = call->next;
		spawn_call_free(call);
	}
	sd_event_unref(client->event);
	free(client->path);
	free(client);
}

static struct spawn_call *spawn_call_new(enum spawn_op op, enum spawn_kind kind, uint32_t slot, spawn_done_fn done,
					 void *userdata)
{
	struct spawn_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	for (size_t i = 0; i < SPAWN_FDS_MAX; i++)
		call->fds[i] = -1;
	call->request.version = SPAWN_API_VERSION;
	call->request.op = op;
	call->request.kind = kind;
	call->request.slot = slot;
	call->request.stderr_index = -1;
	call->deadline = clock_usec() + SPAWN_TIMEOUT_USEC;
	call->done = done;
	call->userdata = userdata;
	return call;
}

static int spawn_client_queue(struct spawn_client *client, struct spawn_call *call)
{
	struct spawn_call **at = &client->calls;

	while (*at)
		at = &(*at)->next;
	*at = call;
	/* Sent from the loop, so that `done` never runs inside the caller. */
	sd_event_source_set_time_relative(client->timer, 0);
	return sd_event_source_set_enabled(client->timer, SD_EVENT_ONESHOT);
}

static int spawn_call_add_args(struct spawn_call *call, const char *const *argv)
{
	for (; *argv; argv++) {
		size_t size = strlen(*argv) + 1;

		if (size > SPAWN_ARGS_MAX - call->request.args_size)
			return -E2BIG;
		memcpy(call->request.args + call->request.args_size, *argv, size);
		call->request.args_size += (uint32_t)size;
	}
	return 0;
}

static int spawn_call_add_fds(struct spawn_call *call, const int *fds, size_t n_fds)
{
	if (n_fds > SPAWN_FDS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n_fds; i++) {
		call->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (call->fds[i] < 0)
			return -errno;
	}
	call->request.n_fds = (uint32_t)n_fds;
	return 0;
}

int spawn_client_start(struct spawn_client *client, enum spawn_kind kind, uint32_t slot, const char *tag,
		       const char *const *argv, const int *fds, size_t n_fds, int stderr_index, spawn_done_fn done,
		       void *userdata)
{
	struct spawn_call *call = spawn_call_new(SPAWN_START, kind, slot, done, userdata);
	int r;

	if (!call)
		return -ENOMEM;
	call->request.stderr_index = stderr_index;
	r = fs_path(call->request.tag, sizeof(call->request.tag), "%s", tag);
	if (r >= 0)
		r = spawn_call_add_args(call, argv);
	if (r >= 0)
		r = spawn_call_add_fds(call, fds, n_fds);
	if (r < 0) {
		spawn_call_free(call);
		return r;
	}
	return spawn_client_queue(client, call);
}

static int spawn_client_ask(struct spawn_client *client, enum spawn_op op, enum spawn_kind kind, uint32_t slot,
			    int signal, spawn_done_fn done, void *userdata)
{
	struct spawn_call *call = spawn_call_new(op, kind, slot, done, userdata);

	if (!call)
		return -ENOMEM;
	call->request.signal = signal;
	return spawn_client_queue(client, call);
}

int spawn_client_get(struct spawn_client *client, enum spawn_kind kind, uint32_t slot, spawn_done_fn done,
		     void *userdata)
{
	return spawn_client_ask(client, SPAWN_GET, kind, slot, 0, done, userdata);
}

int spawn_client_signal(struct spawn_client *client, enum spawn_kind kind, uint32_t slot, int signal,
			spawn_done_fn done, void *userdata)
{
	return spawn_client_ask(client, SPAWN_SIGNAL, kind, slot, signal, done, userdata);
}

int spawn_client_status(struct spawn_client *client, spawn_done_fn done, void *userdata)
{
	return spawn_client_ask(client, SPAWN_STATUS, 0, 0, 0, done, userdata);
}

bool spawn_client_has_sound(void)
{
	return access(SPAWN_SOUND_PROGRAM, X_OK) == 0;
}

void spawn_client_forget(struct spawn_client *client, void *userdata)
{
	for (struct spawn_call *call = client->calls; call; call = call->next)
		if (call->userdata == userdata)
			call->done = NULL;
}
