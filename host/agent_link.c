/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/agent_link.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "host/line_buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SECOND UINT64_C(1000000)
#define LINES_PER_SECOND 100
#define BYTES_PER_SECOND (256u << 10)
#define SILENT_SECONDS 60
#define READ_SIZE 8192

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
};

static void agent_link_lost(struct agent_link *link)
{
	link->io = sd_event_source_disable_unref(link->io);
	closep(&link->fd);
	link->fd = -1;
	link->agreed = false;
	line_buffer_clear(&link->lines);
}

/* What a hello says counts only when it answers our nonce: an older one may still lie in the port's buffer. One without
 * a nonce comes from an agent that has just started. */
static void agent_link_hello(struct agent_link *link, const struct agent_message *message)
{
	if (message->nonce[0] != '\0' && strcmp(message->nonce, link->nonce) != 0)
		return;
	link->agreed = true;
	link->ops->hello(message, link->userdata);
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
	else if (message.type == AGENT_READY && link->agreed)
		link->ops->ready(link->userdata);
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

static int agent_link_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct agent_link *link = userdata;

	(void)fd;
	(void)events;
	if (agent_link_read(link) < 0)
		agent_link_lost(link);
	else if (link->n_lines > LINES_PER_SECOND || link->n_bytes > BYTES_PER_SECOND)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
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
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = fs_path(address.sun_path, sizeof(address.sun_path), "%s", link->path);

	if (r < 0)
		return r;
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	r = sd_event_add_io(link->event, &link->io, fd, EPOLLIN, agent_link_io, link);
	if (r < 0)
		return r;
	link->fd = steal_fd(&fd);
	return agent_link_say_hello(link);
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
		sd_event_source_set_enabled(link->io, SD_EVENT_ON);
	}
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
