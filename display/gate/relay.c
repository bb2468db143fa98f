/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/gate/relay.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct pipe_buffer {
	unsigned char data[RELAY_BUFFER];
	size_t begin, end;
};

struct relay {
	SSL *tls;
	int tls_fd, stream_fd;
	struct pipe_buffer up, down;      /* viewer to display, display to viewer */
	bool viewer_ended;                /* nothing more comes from there or can be sent there */
	bool stream_ended;                /* nothing more comes from the display */
	bool stream_deaf;                 /* the display reads no more; what it still says is relayed */
	bool end_told;                    /* the viewer has all and knows that nothing follows */
	bool tls_wants_in, tls_wants_out; /* what the last TLS call waits for */
};

static size_t pipe_used(const struct pipe_buffer *buffer)
{
	return buffer->end - buffer->begin;
}

static bool pipe_has_room(struct pipe_buffer *buffer)
{
	if (buffer->begin == buffer->end)
		buffer->begin = buffer->end = 0;
	if (buffer->end == RELAY_BUFFER && buffer->begin > RELAY_BUFFER / 2) {
		memmove(buffer->data, buffer->data + buffer->begin, pipe_used(buffer));
		buffer->end -= buffer->begin;
		buffer->begin = 0;
	}
	return buffer->end < RELAY_BUFFER;
}

static void viewer_gone(struct relay *relay)
{
	relay->viewer_ended = true;
	relay->down.begin = relay->down.end = 0;
}

/* Returns whether the call moved something on. */
static bool tls_outcome(struct relay *relay, int n)
{
	if (n > 0)
		return true;
	switch (SSL_get_error(relay->tls, n)) {
	case SSL_ERROR_WANT_READ:
		relay->tls_wants_in = true;
		return false;
	case SSL_ERROR_WANT_WRITE:
		relay->tls_wants_out = true;
		return false;
	default:
		/* close_notify, a reset, or a broken record. */
		viewer_gone(relay);
		return true;
	}
}

static bool read_viewer(struct relay *relay)
{
	int n;

	if (relay->viewer_ended || !pipe_has_room(&relay->up))
		return false;
	ERR_clear_error();
	n = SSL_read(relay->tls, relay->up.data + relay->up.end, (int)(RELAY_BUFFER - relay->up.end));
	if (n > 0)
		relay->up.end += (size_t)n;
	return tls_outcome(relay, n);
}

static bool write_viewer(struct relay *relay)
{
	int n;

	if (relay->viewer_ended || pipe_used(&relay->down) == 0)
		return false;
	ERR_clear_error();
	n = SSL_write(relay->tls, relay->down.data + relay->down.begin, (int)pipe_used(&relay->down));
	if (n > 0)
		relay->down.begin += (size_t)n;
	return tls_outcome(relay, n);
}

/* Without close_notify (RFC 8446, 6.1) a viewer reports a broken connection instead of an end. */
static bool tell_end(struct relay *relay)
{
	int n;

	if (relay->viewer_ended || !relay->stream_ended || pipe_used(&relay->down) > 0)
		return false;
	ERR_clear_error();
	n = SSL_shutdown(relay->tls);
	relay->end_told = n >= 0;
	return relay->end_told || tls_outcome(relay, n);
}

static bool read_stream(struct relay *relay)
{
	ssize_t n;

	if (relay->stream_ended || relay->viewer_ended || !pipe_has_room(&relay->down))
		return false;
	n = read(relay->stream_fd, relay->down.data + relay->down.end, RELAY_BUFFER - relay->down.end);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n > 0)
		relay->down.end += (size_t)n;
	else
		relay->stream_ended = relay->stream_deaf = true;
	return true;
}

static bool write_stream(struct relay *relay)
{
	ssize_t n;

	if (pipe_used(&relay->up) == 0)
		return false;
	if (relay->stream_deaf) {
		relay->up.begin = relay->up.end = 0;
		return true;
	}
	n = send(relay->stream_fd, relay->up.data + relay->up.begin, pipe_used(&relay->up), MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n > 0)
		relay->up.begin += (size_t)n;
	else
		relay->stream_deaf = true;
	return true;
}

static bool relay_over(const struct relay *relay)
{
	if (relay->viewer_ended)
		return relay->stream_deaf || pipe_used(&relay->up) == 0;
	return relay->end_told;
}

static int relay_wait(struct relay *relay, int timeout)
{
	short tls_events = 0, stream_events = 0;
	struct pollfd fds[2];
	int n;

	if (relay->tls_wants_in)
		tls_events |= POLLIN;
	if (relay->tls_wants_out)
		tls_events |= POLLOUT;
	if (!relay->stream_ended && !relay->viewer_ended && relay->down.end < RELAY_BUFFER)
		stream_events |= POLLIN;
	if (!relay->stream_deaf && pipe_used(&relay->up) > 0)
		stream_events |= POLLOUT;
	fds[0] = (struct pollfd){.fd = relay->viewer_ended ? -1 : relay->tls_fd, .events = tls_events};
	/* A stream nothing is wanted from would report its hang-up for ever. */
	fds[1] = (struct pollfd){.fd = stream_events ? relay->stream_fd : -1, .events = stream_events};
	n = poll(fds, 2, timeout);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	/* Reported unasked: without this a viewer that is gone, and is not read from just now, would make this spin. */
	if (fds[0].revents & (POLLERR | POLLHUP) && !(fds[0].revents & tls_events))
		viewer_gone(relay);
	return n == 0 ? -ETIMEDOUT : 0;
}

static bool relay_step(struct relay *relay)
{
	bool moved = false;

	relay->tls_wants_in = relay->tls_wants_out = false;
	moved = write_viewer(relay) || moved;
	moved = write_stream(relay) || moved;
	moved = read_viewer(relay) || moved;
	moved = read_stream(relay) || moved;
	moved = tell_end(relay) || moved;
	return moved;
}

int relay_run(SSL *tls, int tls_fd, int stream_fd)
{
	static struct relay relay;
	int r = 0;

	relay = (struct relay){.tls = tls, .tls_fd = tls_fd, .stream_fd = stream_fd};
	SSL_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	while (r == 0 && !relay_over(&relay))
		if (!relay_step(&relay))
			r = relay_wait(&relay, relay.stream_ended || relay.viewer_ended ? RELAY_DRAIN_MSEC : -1);
	return relay.viewer_ended ? -ECONNRESET : r;
}
