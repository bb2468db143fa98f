/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/vdagent_socket.h"

#include "common/cleanup.h"
#include "common/fs.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define READ_SIZE 65536

struct vdagent_socket {
	int fd;
	struct watch *watch;
	const struct vdagent_socket_ops *ops;
	void *userdata;
	struct vdagent_parser parser;
	struct vdagent_buffer out;
	bool paused, given_up;
	uint8_t buffer[READ_SIZE];
};

/* The loop hears of it: our user may be in the middle of something. */
static void socket_give_up(struct vdagent_socket *sock)
{
	sock->given_up = true;
	shutdown(sock->fd, SHUT_RDWR);
}

static void socket_set_events(const struct vdagent_socket *sock)
{
	bool waits = sock->out.at < sock->out.size;

	watch_set(sock->watch, (sock->paused ? 0u : (uint32_t)EPOLLIN) | (waits ? (uint32_t)EPOLLOUT : 0u));
}

static void socket_flush(struct vdagent_socket *sock)
{
	struct vdagent_buffer *out = &sock->out;

	while (!sock->given_up && out->at < out->size) {
		ssize_t n = send(sock->fd, out->data + out->at, out->size - out->at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0)
			socket_give_up(sock);
		else
			out->at += (size_t)n;
	}
	if (sock->given_up || out->at == out->size) {
		free(out->data);
		*out = (struct vdagent_buffer){0};
	}
	socket_set_events(sock);
}

static void socket_written(struct vdagent_socket *sock, int r)
{
	if (r < 0)
		socket_give_up(sock);
	socket_flush(sock);
	if (sock->out.size - sock->out.at > CLIPBOARD_QUEUE_MAX)
		socket_give_up(sock);
}

void vdagent_socket_announce(struct vdagent_socket *sock, uint32_t caps)
{
	socket_written(sock, vdagent_write_announce(&sock->out, false, caps));
}

void vdagent_socket_clipboard(struct vdagent_socket *sock, uint32_t message, uint32_t caps,
			      const struct vdagent_clipboard *what)
{
	socket_written(sock, vdagent_write_clipboard(&sock->out, message, caps, what));
}

void vdagent_socket_pause(struct vdagent_socket *sock, bool paused)
{
	sock->paused = paused;
	socket_set_events(sock);
}

/* false: the connection is of no more use. */
static bool socket_read(struct vdagent_socket *sock)
{
	ssize_t n = recv(sock->fd, sock->buffer, sizeof(sock->buffer), MSG_DONTWAIT);
	size_t at = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	while (at < (size_t)n && !sock->given_up) {
		struct vdagent_message message;
		size_t used = 0;
		int r = vdagent_feed(&sock->parser, sock->buffer + at, (size_t)n - at, &used, &message);

		if (r < 0)
			return false;
		if (r > 0)
			sock->ops->message(&message, sock->userdata);
		at += used;
	}
	return !sock->given_up;
}

static void on_socket(uint32_t events, void *userdata)
{
	struct vdagent_socket *sock = userdata;
	bool alive = !sock->given_up;

	if (alive && (events & EPOLLOUT))
		socket_flush(sock);
	if (alive && !sock->paused && (events & ~(uint32_t)EPOLLOUT))
		alive = socket_read(sock);
	else if (events & (EPOLLHUP | EPOLLERR))
		alive = false;
	if (!alive)
		sock->ops->closed(sock->userdata);
}

int vdagent_socket_new(struct loop *loop, int fd, const struct vdagent_socket_ops *ops, void *userdata,
		       struct vdagent_socket **ret)
{
	struct vdagent_socket *sock = calloc(1, sizeof(*sock));
	int r;

	if (!sock) {
		close(fd);
		return -ENOMEM;
	}
	sock->fd = fd;
	sock->ops = ops;
	sock->userdata = userdata;
	vdagent_parser_init(&sock->parser, CLIPBOARD_TEXT_MAX);
	r = loop_watch(loop, fd, EPOLLIN, on_socket, sock, &sock->watch);
	if (r < 0) {
		vdagent_socket_free(sock);
		return r;
	}
	*ret = sock;
	return 0;
}

void vdagent_socket_free(struct vdagent_socket *sock)
{
	if (!sock)
		return;
	watch_free(sock->watch);
	closep(&sock->fd);
	vdagent_parser_reset(&sock->parser);
	free(sock->out.data);
	free(sock);
}
