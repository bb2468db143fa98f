/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/output.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define OUTPUT_BUFFER (64 * 1024)
#define STREAM_BUFFER (96 * 1024) /* of the kernel, so that little is out of reach when the viewer is slow */

struct output {
	struct server *server;
	sd_event_source *inner, *stream;
	int stream_fd;
	void (*ended)(void *userdata);
	void *userdata;
	size_t at, have;
	uint8_t buffer[OUTPUT_BUFFER];
};

/* Watches the stream while bytes wait, the RFB thread otherwise. */
static void output_watch(struct output *output)
{
	bool waiting = output->at < output->have;

	sd_event_source_set_enabled(output->stream, waiting ? SD_EVENT_ON : SD_EVENT_OFF);
	sd_event_source_set_enabled(output->inner, waiting ? SD_EVENT_OFF : SD_EVENT_ON);
}

static void output_end(struct output *output)
{
	sd_event_source_set_enabled(output->stream, SD_EVENT_OFF);
	sd_event_source_set_enabled(output->inner, SD_EVENT_OFF);
	output->ended(output->userdata);
}

static void output_write(struct output *output, size_t fresh)
{
	while (output->at < output->have) {
		ssize_t n = write(output->stream_fd, output->buffer + output->at, output->have - output->at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			output_end(output);
			return;
		}
		if (n < 0)
			break;
		output->at += (size_t)n;
	}
	server_output_moved(output->server, fresh, output->have - output->at);
	output_watch(output);
}

static int on_inner(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct output *output = userdata;
	ssize_t n = read(fd, output->buffer, sizeof(output->buffer));

	(void)source;
	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		output_end(output);
		return 0;
	}
	output->at = 0;
	output->have = (size_t)n;
	output_write(output, (size_t)n);
	return 0;
}

static int on_stream(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source;
	(void)fd;
	(void)events;
	output_write(userdata, 0);
	return 0;
}

int output_new(sd_event *event, int stream_fd, struct server *server, void (*ended)(void *userdata), void *userdata,
	       struct output **ret)
{
	struct output *output = calloc(1, sizeof(*output));
	int size = STREAM_BUFFER, r;

	if (!output)
		return -ENOMEM;
	output->server = server;
	output->ended = ended;
	output->userdata = userdata;
	/* epoll wants an fd of its own for a second watch of one socket. */
	output->stream_fd = fcntl(stream_fd, F_DUPFD_CLOEXEC, 3);
	if (output->stream_fd < 0) {
		r = -errno;
		free(output);
		return r;
	}
	setsockopt(output->stream_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	r = sd_event_add_io(event, &output->stream, output->stream_fd, EPOLLOUT, on_stream, output);
	if (r >= 0)
		r = sd_event_add_io(event, &output->inner, server_output_fd(server), EPOLLIN, on_inner, output);
	if (r < 0) {
		output_free(output);
		return r;
	}
	output_watch(output);
	*ret = output;
	return 0;
}

void output_free(struct output *output)
{
	if (!output)
		return;
	sd_event_source_disable_unref(output->stream);
	sd_event_source_disable_unref(output->inner);
	closep(&output->stream_fd);
	free(output);
}
