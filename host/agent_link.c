/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/agent_link.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/packet.h"
#include "host/agent_request.h"
#include "host/line_buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#define SECOND UINT64_C(1000000)
#define LINES_PER_SECOND 100
#define BYTES_PER_SECOND (256u << 10)
#define SILENT_SECONDS 60
#define READ_SIZE 8192
#define UNSENT_MAX 65536u /* for a guest that does not read */

/* A request that the agent has not answered. */
struct call {
	uint32_t id; /* 0: free */
	uint64_t until;
	agent_done_fn done;
	void *userdata;
};

struct agent_link {
	sd_event *event;
	char *path;
	const struct agent_link_ops *ops;
	void *userdata;
	int fd;
	sd_event_source *io, *tick;
	struct line_buffer lines;
	char nonce[AGENT_NONCE_SIZE];
	bool agreed;      /* the agent has answered this connection's nonce */
	bool heard;       /* something came since the last `silent` */
	unsigned quiet;   /* seconds since the last message */
	unsigned n_lines; /* of this second */
	size_t n_bytes;
	struct call calls[AGENT_REQUESTS_MAX];
	uint32_t last_id;
	char *unsent;
	size_t n_unsent;
};

static void call_finish(struct call *call, int r, const struct error *err)
{
	struct call done = *call;

	*call = (struct call){0};
	if (done.done)
		done.done(r, err, done.userdata);
}

static void agent_link_cancel(struct agent_link *link)
{
	struct error err = {0};

	error_set(&err, -ECONNRESET, "the connection to the desktop's agent ended");
	for (size_t i = 0; i < AGENT_REQUESTS_MAX; i++)
		if (link->calls[i].id != 0)
			call_finish(&link->calls[i], err.code, &err);
}

static void agent_link_lost(struct agent_link *link)
{
	link->io = sd_event_source_disable_unref(link->io);
	closep(&link->fd);
	link->fd = -1;
	link->agreed = false;
	line_buffer_clear(&link->lines);
	free(link->unsent);
	link->unsent = NULL;
	link->n_unsent = 0;
	agent_link_cancel(link);
}

/* What a hello says counts only when it answers our nonce: an older one may still lie in the port's buffer. One without
 * a nonce comes from an agent that has just started. */
static void agent_link_hello(struct agent_link *link, const struct agent_message *message)
{
	if (message->nonce[0] != '\0' && strcmp(message->nonce, link->nonce) != 0)
		return;
	link->agreed = true;
	link->ops->said(message, link->userdata);
}

static void agent_link_result(struct agent_link *link, const struct agent_message *message)
{
	struct error err = {0};

	for (size_t i = 0; i < AGENT_REQUESTS_MAX; i++) {
		if (link->calls[i].id != message->id)
			continue;
		if (!message->ok)
			error_set(&err, -EREMOTEIO, "%s",
				  message->error[0] ? message->error : "the agent refused without a reason");
		call_finish(&link->calls[i], err.code, &err);
		return;
	}
}

static int agent_link_line(const char *line, size_t size, void *userdata)
{
	struct agent_link *link = userdata;
	struct agent_message message;

	link->n_lines++;
	if (agent_parse(line, size, &message) < 0)
		return 0;
	link->heard = true;
	link->quiet = 0;
	if (message.type == AGENT_HELLO)
		agent_link_hello(link, &message);
	else if (message.type == AGENT_RESULT)
		agent_link_result(link, &message);
	else if (message.type != AGENT_UNKNOWN && message.type != AGENT_HEARTBEAT && link->agreed)
		link->ops->said(&message, link->userdata);
	return 0;
}

static int agent_link_read(struct agent_link *link)
{
	char data[READ_SIZE];
	ssize_t n = recv(link->fd, data, sizeof(data), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	link->n_bytes += (size_t)n;
	return line_buffer_feed(&link->lines, data, (size_t)n, agent_link_line, link);
}

static bool agent_link_floods(const struct agent_link *link)
{
	return link->n_lines > LINES_PER_SECOND || link->n_bytes > BYTES_PER_SECOND;
}

/* What is waited for: room to write, and what comes as long as it is not too much. */
static void agent_link_listen(struct agent_link *link)
{
	sd_event_source_set_io_events(link->io,
				      (link->n_unsent > 0 ? EPOLLOUT : 0u) | (agent_link_floods(link) ? 0u : EPOLLIN));
}

static int agent_link_write(struct agent_link *link)
{
	ssize_t n = send(link->fd, link->unsent, link->n_unsent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	link->n_unsent -= (size_t)n;
	memmove(link->unsent, link->unsent + n, link->n_unsent);
	return 0;
}

static int agent_link_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct agent_link *link = userdata;
	int r = 0;

	(void)source;
	(void)fd;
	if (link->n_unsent > 0)
		r = agent_link_write(link);
	if (r == 0 && (events & EPOLLIN) != 0)
		r = agent_link_read(link);
	if (r < 0 || (events & (EPOLLIN | EPOLLOUT)) == 0)
		agent_link_lost(link); /* or nothing but its end to be told while it is not read */
	else
		agent_link_listen(link);
	return 0;
}

static int make_nonce(char *ret)
{
	uint8_t bytes[(AGENT_NONCE_SIZE - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

/* A fresh socket's buffer takes the whole line. */
static int agent_link_say_hello(struct agent_link *link)
{
	char line[128];
	size_t size;
	int r = make_nonce(link->nonce);

	if (r < 0)
		return r;
	size = agent_hello(link->nonce, line, sizeof(line));
	return send(link->fd, line, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size ? 0 : -EIO;
}

static int agent_link_connect(struct agent_link *link)
{
	_cleanup_close_ int fd = socket_connect(link->path, SOCK_STREAM | SOCK_NONBLOCK);
	int r;

	if (fd < 0)
		return fd;
	r = sd_event_add_io(link->event, &link->io, fd, EPOLLIN, agent_link_io, link);
	if (r < 0)
		return r;
	link->fd = steal_fd(&fd);
	return agent_link_say_hello(link);
}

static void agent_link_time_out(struct agent_link *link)
{
	struct error err = {0};

	error_set(&err, -ETIMEDOUT, "the desktop's agent did not answer in time");
	for (size_t i = 0; i < AGENT_REQUESTS_MAX; i++)
		if (link->calls[i].id != 0 && clock_usec() >= link->calls[i].until)
			call_finish(&link->calls[i], err.code, &err);
}

static int agent_link_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct agent_link *link = userdata;

	(void)usec;
	link->n_lines = 0;
	link->n_bytes = 0;
	sd_event_source_set_time_relative(source, SECOND);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	if (link->fd < 0) {
		if (agent_link_connect(link) < 0)
			agent_link_lost(link);
	} else {
		agent_link_listen(link);
	}
	agent_link_time_out(link);
	if (link->heard && ++link->quiet >= SILENT_SECONDS) {
		link->heard = false;
		link->ops->silent(link->userdata);
	}
	return 0;
}

int agent_link_new(sd_event *event, const char *path, const struct agent_link_ops *ops, void *userdata,
		   struct agent_link **ret)
{
	struct agent_link *link = calloc(1, sizeof(*link));
	int r = -ENOMEM;

	if (!link)
		return r;
	link->event = sd_event_ref(event);
	link->fd = -1;
	link->lines.max = AGENT_LINE_MAX;
	link->ops = ops;
	link->userdata = userdata;
	link->path = strdup(path);
	if (link->path)
		r = sd_event_add_time_relative(event, &link->tick, CLOCK_MONOTONIC, 0, 0, agent_link_tick, link);
	if (r < 0) {
		agent_link_free(link);
		return r;
	}
	*ret = link;
	return 0;
}

void agent_link_free(struct agent_link *link)
{
	if (!link)
		return;
	agent_link_lost(link);
	sd_event_source_disable_unref(link->tick);
	sd_event_unref(link->event);
	free(link->path);
	free(link);
}

static struct call *free_call(struct agent_link *link)
{
	for (size_t i = 0; i < AGENT_REQUESTS_MAX; i++)
		if (link->calls[i].id == 0)
			return &link->calls[i];
	return NULL;
}

static int agent_link_queue(struct agent_link *link, const char *line)
{
	size_t size = strlen(line);
	char *grown;

	if (size > AGENT_REQUEST_MAX || link->n_unsent + size > UNSENT_MAX)
		return -ENOBUFS;
	grown = realloc(link->unsent, link->n_unsent + size);
	if (!grown)
		return -ENOMEM;
	link->unsent = grown;
	memcpy(link->unsent + link->n_unsent, line, size);
	link->n_unsent += size;
	agent_link_listen(link);
	return 0;
}

int agent_link_request(struct agent_link *link, const char *name, struct json_object *fields, agent_done_fn done,
		       void *userdata, struct error *err)
{
	const struct agent_request *request = agent_request_find(name);
	struct call *call = free_call(link);
	_cleanup_free_ char *line = NULL;
	int r;

	if (!request)
		return error_set(err, -EINVAL, "an agent has no request \"%.40s\"", name);
	if (link->fd < 0 || !link->agreed)
		return error_set(err, -ENOTCONN, "no agent answers in the desktop");
	if (!call)
		return error_set(err, -EBUSY, "the desktop's agent has too much to do: try again in a few seconds");
	link->last_id = link->last_id % INT32_MAX + 1;
	r = agent_request_line(request, link->last_id, fields, &line, err);
	if (r < 0)
		return r;
	r = agent_link_queue(link, line);
	if (r < 0)
		return error_set_errno(err, r, "the desktop's agent cannot be asked");
	*call = (struct call){link->last_id, clock_usec() + request->seconds * SECOND, done, userdata};
	return 0;
}
