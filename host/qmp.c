/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/qmp.h"

#include "common/cleanup.h"
#include "common/packet.h"
#include "host/json.h"
#include "host/line_buffer.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#define RETRY_USEC UINT64_C(200000)
#define ANSWER_USEC (60 * UINT64_C(1000000))
#define READ_SIZE 16384

struct qmp_call {
	struct qmp_call *next;
	char *line;
	size_t size, written;
	int fd; /* goes with the first byte */
	int64_t id;
	qmp_done_fn done;
	void *userdata;
};

struct qmp {
	sd_event *event;
	char *path;
	const struct qmp_ops *ops;
	void *userdata;
	int fd;
	sd_event_source *io, *timer;
	struct line_buffer lines;
	struct qmp_call *calls; /* the first one is sent, the others wait */
	bool greeted, asked;    /* asked: the first call is being sent or answered */
	int64_t last_id;
};

static void qmp_call_free(struct qmp_call *call)
{
	closep(&call->fd);
	free(call->line);
	free(call);
}

static void qmp_call_finish(struct qmp_call *call, int r, struct json_object *data, const struct error *err)
{
	if (call->done)
		call->done(r, data, err, call->userdata);
	qmp_call_free(call);
}

static void qmp_arm(struct qmp *qmp, uint64_t usec)
{
	sd_event_source_set_time_relative(qmp->timer, usec);
	sd_event_source_set_enabled(qmp->timer, SD_EVENT_ONESHOT);
}

static void qmp_finish_first(struct qmp *qmp, int r, struct json_object *data, const struct error *err)
{
	struct qmp_call *call = qmp->calls;

	qmp->calls = call->next;
	qmp->asked = false;
	qmp_call_finish(call, r, data, err);
}

/* The command under way may have been carried out or not: it fails, those behind it are kept for the next connection.
 */
static void qmp_lost(struct qmp *qmp)
{
	struct error err = {0};

	qmp->io = sd_event_source_disable_unref(qmp->io);
	closep(&qmp->fd);
	qmp->fd = -1;
	qmp->greeted = false;
	line_buffer_clear(&qmp->lines);
	qmp_arm(qmp, RETRY_USEC);
	if (!qmp->asked)
		return;
	error_set(&err, -ECONNRESET, "the control connection to QEMU was lost: try again");
	qmp_finish_first(qmp, err.code, NULL, &err);
}

static ssize_t qmp_write_some(struct qmp *qmp, struct qmp_call *call)
{
	struct iovec iov = {call->line + call->written, call->size - call->written};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};

	if (call->fd >= 0) {
		struct cmsghdr *header = &control.align;

		message.msg_control = control.buffer;
		message.msg_controllen = sizeof(control.buffer);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &call->fd, sizeof(int));
	}
	return sendmsg(qmp->fd, &message, MSG_NOSIGNAL);
}

/* Sends what there is to send; negative: the connection is of no use any more. */
static int qmp_flush(struct qmp *qmp)
{
	struct qmp_call *call = qmp->calls;

	if (!qmp->greeted || !call)
		return 0;
	if (!qmp->asked)
		qmp_arm(qmp, ANSWER_USEC);
	qmp->asked = true;
	while (call->written < call->size) {
		ssize_t n = qmp_write_some(qmp, call);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return sd_event_source_set_io_events(qmp->io, EPOLLIN | EPOLLOUT);
		if (n < 0)
			return -errno;
		call->written += (size_t)n;
		closep(&call->fd);
		call->fd = -1;
	}
	return sd_event_source_set_io_events(qmp->io, EPOLLIN);
}

static struct qmp_call *qmp_call_new(struct qmp *qmp, const char *name, struct json_object *arguments, int fd)
{
	struct qmp_call *call = calloc(1, sizeof(*call));

	if (!call) {
		closep(&fd);
		return NULL;
	}
	call->fd = fd;
	call->id = ++qmp->last_id;
	if (qmp_command(name, arguments, call->id, &call->line) < 0) {
		call->line = NULL;
		qmp_call_free(call);
		return NULL;
	}
	call->size = strlen(call->line);
	return call;
}

static void capabilities_done(int r, struct json_object *data, const struct error *err, void *userdata)
{
	struct qmp *qmp = userdata;

	(void)data;
	(void)err;
	if (r == 0)
		qmp->ops->connected(qmp->userdata);
}

/* Negotiation comes before everything that waits. */
static int qmp_greeted(struct qmp *qmp)
{
	struct qmp_call *call;

	if (qmp->greeted)
		return -EBADMSG;
	call = qmp_call_new(qmp, "qmp_capabilities", NULL, -1);
	if (!call)
		return -ENOMEM;
	call->done = capabilities_done;
	call->userdata = qmp;
	call->next = qmp->calls;
	qmp->calls = call;
	qmp->greeted = true;
	return 0;
}

static int qmp_answered(struct qmp *qmp, const struct qmp_message *message)
{
	int r = message->kind == QMP_ERROR ? message->error.code : 0;

	if (!qmp->asked || message->id != qmp->calls->id)
		return -EBADMSG;
	qmp_finish_first(qmp, r, message->data, &message->error);
	return 0;
}

static int qmp_line(const char *line, size_t size, void *userdata)
{
	struct qmp *qmp = userdata;
	struct qmp_message message;
	int r = qmp_parse(line, size, &message);

	if (r < 0)
		return r;
	switch (message.kind) {
	case QMP_GREETING:
		r = qmp_greeted(qmp);
		break;
	case QMP_EVENT:
		qmp->ops->event(&message.event, qmp->userdata);
		break;
	case QMP_RETURN:
	case QMP_ERROR:
		r = qmp_answered(qmp, &message);
		break;
	}
	qmp_message_clear(&message);
	return r < 0 ? r : qmp_flush(qmp);
}

static int qmp_read(struct qmp *qmp)
{
	char data[READ_SIZE];
	ssize_t n = recv(qmp->fd, data, sizeof(data), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return n == 0 ? -ECONNRESET : line_buffer_feed(&qmp->lines, data, (size_t)n, qmp_line, qmp);
}

static int qmp_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct qmp *qmp = userdata;
	int r = 0;

	(void)source;
	(void)fd;
	if (events & EPOLLOUT)
		r = qmp_flush(qmp);
	if (r >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		r = qmp_read(qmp);
	if (r < 0)
		qmp_lost(qmp);
	return 0;
}

static int qmp_connect(struct qmp *qmp)
{
	_cleanup_close_ int fd = socket_connect(qmp->path, SOCK_STREAM | SOCK_NONBLOCK);
	int r;

	if (fd < 0)
		return fd;
	r = sd_event_add_io(qmp->event, &qmp->io, fd, EPOLLIN, qmp_io, qmp);
	if (r >= 0)
		qmp->fd = steal_fd(&fd);
	return r;
}

/* Either there is no connection and it is time to try, or an answer is overdue. */
static int qmp_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct qmp *qmp = userdata;

	(void)source;
	(void)usec;
	if (qmp->fd < 0 && qmp_connect(qmp) < 0)
		qmp_arm(qmp, RETRY_USEC);
	else if (qmp->asked)
		qmp_lost(qmp);
	return 0;
}

int qmp_new(sd_event *event, const char *path, const struct qmp_ops *ops, void *userdata, struct qmp **ret)
{
	struct qmp *qmp = calloc(1, sizeof(*qmp));
	int r = -ENOMEM;

	if (!qmp)
		return r;
	qmp->event = sd_event_ref(event);
	qmp->fd = -1;
	qmp->lines.max = QMP_LINE_MAX;
	qmp->ops = ops;
	qmp->userdata = userdata;
	qmp->path = strdup(path);
	if (qmp->path)
		r = sd_event_add_time_relative(event, &qmp->timer, CLOCK_MONOTONIC, 0, 0, qmp_timer, qmp);
	if (r < 0) {
		qmp_free(qmp);
		return r;
	}
	*ret = qmp;
	return 0;
}

void qmp_free(struct qmp *qmp)
{
	struct error err = {0};

	if (!qmp)
		return;
	error_set(&err, -ECANCELED, "the desktop's virtual machine has ended");
	sd_event_source_disable_unref(qmp->io);
	sd_event_source_disable_unref(qmp->timer);
	closep(&qmp->fd);
	while (qmp->calls)
		qmp_finish_first(qmp, err.code, NULL, &err);
	line_buffer_clear(&qmp->lines);
	sd_event_unref(qmp->event);
	free(qmp->path);
	free(qmp);
}

int qmp_execute(struct qmp *qmp, const char *name, struct json_object *arguments, int fd, qmp_done_fn done,
		void *userdata)
{
	struct qmp_call *call = qmp_call_new(qmp, name, arguments, fd), **at = &qmp->calls;

	json_object_put(arguments);
	if (!call)
		return -ENOMEM;
	call->done = done;
	call->userdata = userdata;
	while (*at)
		at = &(*at)->next;
	*at = call;
	/* Where nothing is under way the loop sends it: a failure there must not call `done` from inside here. */
	if (qmp->greeted && !qmp->asked)
		return sd_event_source_set_io_events(qmp->io, EPOLLIN | EPOLLOUT);
	return 0;
}
