/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus_intake.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define CHUNK 8192
#define ROUNDS 8 /* chunks in a row, so that sd-bus need not look for each of a long message */

struct bus_intake {
	sd_event_source *from, *to; /* the peer's socket, the end that sd-bus does not read; NULL when it has ended */
	unsigned fds_left;
	uint8_t bytes[CHUNK];
	size_t begin, end; /* of what was received and not handed on yet */
	int fds[BUS_INTAKE_FDS_MAX];
	size_t n_fds;
};

static void intake_drop_fds(struct bus_intake *intake)
{
	while (intake->n_fds > 0)
		close(intake->fds[--intake->n_fds]);
}

void bus_intake_end(struct bus_intake *intake)
{
	intake_drop_fds(intake);
	intake->from = sd_event_source_disable_unref(intake->from);
	intake->to = sd_event_source_disable_unref(intake->to);
}

void bus_intake_free(struct bus_intake *intake)
{
	if (!intake)
		return;
	bus_intake_end(intake);
	free(intake);
}

/* Returns what recvmsg does; -EMFILE when there were more fds than are left. */
static ssize_t intake_receive(struct bus_intake *intake)
{
	union {
		char buffer[CMSG_SPACE(sizeof(int) * BUS_INTAKE_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = intake->bytes, .iov_len = sizeof(intake->bytes)};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	const struct cmsghdr *header;
	ssize_t n;

	/* Without room for fds the kernel makes none. */
	if (intake->fds_left > 0) {
		message.msg_control = control.buffer;
		message.msg_controllen = CMSG_LEN(sizeof(int) * intake->fds_left);
	}
	n = recvmsg(sd_event_source_get_io_fd(intake->from), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	header = intake->fds_left > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
		intake->n_fds = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(intake->fds, CMSG_DATA(header), intake->n_fds * sizeof(int));
		intake->fds_left -= (unsigned)intake->n_fds;
	}
	if (message.msg_flags & MSG_CTRUNC)
		return -EMFILE;
	intake->begin = 0;
	intake->end = (size_t)n;
	return n;
}

/*
 * A read ends with the bytes that were sent together with fds (unix(7)), and may begin with others: so the last byte is
 * of the message that the fds belong to, and takes them along.
 */
static int intake_hand_on(struct bus_intake *intake)
{
	int to = sd_event_source_get_io_fd(intake->to);

	while (intake->begin < intake->end) {
		const uint8_t *at = intake->bytes + intake->begin;
		size_t plain = intake->end - intake->begin - (intake->n_fds > 0);
		ssize_t n = 1;
		int r = 0;

		if (plain == 0)
			r = packet_send(to, at, 1, intake->fds, intake->n_fds);
		else if ((n = send(to, at, plain, MSG_DONTWAIT | MSG_NOSIGNAL)) < 0)
			r = -errno;
		if (r < 0)
			return r;
		if (plain == 0)
			intake_drop_fds(intake);
		intake->begin += (size_t)n;
	}
	return 0;
}

/* Reads on only when everything was handed on; whether that is so. */
static bool intake_go_on(struct bus_intake *intake)
{
	int r = intake_hand_on(intake);
	bool full = r == -EAGAIN || r == -EINTR;

	if ((r < 0 && !full) || sd_event_source_set_enabled(intake->from, full ? SD_EVENT_OFF : SD_EVENT_ON) < 0 ||
	    sd_event_source_set_io_events(intake->to, full ? EPOLLOUT : 0) < 0)
		bus_intake_end(intake);
	return intake->from && !full;
}

static int on_from(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct bus_intake *intake = userdata;
	ssize_t n = 0;

	(void)source;
	(void)events;
	for (int i = 0; i < ROUNDS; i++) {
		n = intake_receive(intake);
		if (n == -EAGAIN || n == -EINTR || (n > 0 && !intake_go_on(intake)))
			return 0;
		if (n <= 0)
			break;
	}
	if (n > 0)
		return 0;
	if (n == -EMFILE)
		shutdown(fd, SHUT_RDWR);
	bus_intake_end(intake);
	return 0;
}

static int on_to(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source;
	(void)fd;
	if (events & (EPOLLHUP | EPOLLERR))
		bus_intake_end(userdata);
	else
		intake_go_on(userdata);
	return 0;
}

/* Takes fd over, also on failure. */
static int add_io(sd_event *event, sd_event_source **ret, int fd, uint32_t events, sd_event_io_handler_t handler,
		  struct bus_intake *intake)
{
	int r = sd_event_add_io(event, ret, fd, events, handler, intake);

	if (r >= 0)
		r = sd_event_source_set_io_fd_own(*ret, 1);
	if (r < 0)
		close(fd);
	return r;
}

int bus_intake_new(sd_event *event, int fd, unsigned max_fds, struct bus_intake **ret, int *ret_input)
{
	_cleanup_close_ int input = -1;
	struct bus_intake *intake;
	int ends[2], socket, r;

	if (max_fds > BUS_INTAKE_FDS_MAX)
		return -EINVAL;
	intake = calloc(1, sizeof(*intake));
	if (!intake)
		return -ENOMEM;
	intake->fds_left = max_fds;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
		r = -errno;
		goto fail;
	}
	input = ends[0];
	r = add_io(event, &intake->to, ends[1], 0, on_to, intake);
	if (r < 0)
		goto fail;
	/* sd-bus has the socket itself in the same event loop, which takes an fd once. */
	socket = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	r = socket < 0 ? -errno : add_io(event, &intake->from, socket, EPOLLIN, on_from, intake);
	if (r < 0)
		goto fail;
	*ret = intake;
	*ret_input = steal_fd(&input);
	return 0;
fail:
	bus_intake_free(intake);
	return r;
}
