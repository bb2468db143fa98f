/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/session.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/packet.h"
#include "guest-agent/codec.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define SESSION_BACKLOG 8

struct session {
	struct sessions *sessions;
	int fd; /* -1: free */
	uid_t uid;
	enum message_type said; /* MESSAGE_SESSION, _LOCKED, _CLIPBOARD; MESSAGE_UNKNOWN: nothing yet */
	struct watch *watch;
	struct lines lines;
};

struct sessions {
	struct loop *loop;
	int fd;
	struct watch *watch;
	const struct sessions_ops *ops;
	void *userdata;
	struct session all[SESSION_MAX];
};

static bool is_said(const struct sessions *sessions, enum message_type what, const uid_t *uid)
{
	for (size_t i = 0; i < SESSION_MAX; i++) {
		const struct session *session = &sessions->all[i];

		if (session->fd >= 0 && session->said == what && (!uid || session->uid == *uid))
			return true;
	}
	return false;
}

bool sessions_any_up(const struct sessions *sessions)
{
	return is_said(sessions, MESSAGE_SESSION, NULL);
}

bool sessions_up(const struct sessions *sessions, uid_t uid)
{
	return is_said(sessions, MESSAGE_SESSION, &uid);
}

bool sessions_locked(const struct sessions *sessions, uid_t uid)
{
	return is_said(sessions, MESSAGE_LOCKED, &uid);
}

static void session_close(struct session *session)
{
	watch_free(session->watch);
	session->watch = NULL;
	closep(&session->fd);
	session->fd = -1;
	session->said = MESSAGE_UNKNOWN;
	lines_clear(&session->lines);
}

static void on_line(const char *line, size_t size, void *userdata)
{
	struct session *session = userdata;
	struct message message;

	if (message_parse(line, size, &message) < 0 || session->said != MESSAGE_UNKNOWN)
		return;
	if (message.type != MESSAGE_SESSION && message.type != MESSAGE_LOCKED && message.type != MESSAGE_CLIPBOARD)
		return;
	session->said = message.type;
	if (message.type != MESSAGE_CLIPBOARD)
		log_info("session of uid %u is %s", (unsigned)session->uid,
			 message.type == MESSAGE_LOCKED ? "locked" : "up");
}

/* Nothing is lost: a session part says no more until the root part has said something. */
static void session_hand_on(struct session *session)
{
	struct sessions *sessions = session->sessions;
	uid_t uid = session->uid;
	int fd;

	watch_free(steal_ptr(session->watch));
	fd = steal_fd(&session->fd);
	session_close(session);
	sessions->ops->clipboard(fd, uid, sessions->userdata);
}

static void on_session(uint32_t events, void *userdata)
{
	struct session *session = userdata;
	struct sessions *sessions = session->sessions;
	char buffer[4096];
	ssize_t n = read(session->fd, buffer, sizeof(buffer));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || lines_feed(&session->lines, buffer, (size_t)n, on_line, session) < 0) {
		if (session->said != MESSAGE_UNKNOWN)
			log_info("session of uid %u is %s", (unsigned)session->uid,
				 session->said == MESSAGE_LOCKED ? "unlocked" : "gone");
		session_close(session);
	} else if (session->said == MESSAGE_CLIPBOARD) {
		session_hand_on(session);
		return;
	}
	sessions->ops->changed(sessions->userdata);
}

static struct session *session_free_slot(struct sessions *sessions)
{
	for (size_t i = 0; i < SESSION_MAX; i++)
		if (sessions->all[i].fd < 0)
			return &sessions->all[i];
	return NULL;
}

static void on_connection(uint32_t events, void *userdata)
{
	struct sessions *sessions = userdata;
	_cleanup_close_ int fd = accept4(sessions->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct session *session = session_free_slot(sessions);

	(void)events;
	if (fd < 0 || !session)
		return;
	if (packet_peer(fd, &session->uid, NULL) < 0)
		return;
	if (loop_watch(sessions->loop, fd, EPOLLIN, on_session, session, &session->watch) < 0)
		return;
	session->fd = steal_fd(&fd);
}

static int make_directory_of(const char *path)
{
	char directory[PATH_MAX];
	int r = fs_path(directory, sizeof(directory), "%s", path);
	char *slash = r < 0 ? NULL : strrchr(directory, '/');

	if (!slash || slash == directory)
		return r;
	*slash = '\0';
	return fs_mkdir_p(directory, 0755);
}

int sessions_new(struct loop *loop, const char *path, const struct sessions_ops *ops, void *userdata,
		 struct sessions **ret)
{
	_cleanup_(sessions_freep) struct sessions *sessions = calloc(1, sizeof(*sessions));
	int r = make_directory_of(path);

	if (!sessions)
		return -ENOMEM;
	sessions->loop = loop;
	sessions->ops = ops;
	sessions->userdata = userdata;
	sessions->fd = -1;
	for (size_t i = 0; i < SESSION_MAX; i++)
		sessions->all[i] = (struct session){.sessions = sessions, .fd = -1};
	if (r < 0)
		return r;
	sessions->fd = socket_listen(path, SOCK_STREAM, SESSION_BACKLOG, 0666);
	if (sessions->fd < 0)
		return sessions->fd;
	r = loop_watch(loop, sessions->fd, EPOLLIN, on_connection, sessions, &sessions->watch);
	if (r < 0)
		return r;
	*ret = steal_ptr(sessions);
	return 0;
}

void sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return;
	for (size_t i = 0; i < SESSION_MAX; i++)
		session_close(&sessions->all[i]);
	watch_free(sessions->watch);
	closep(&sessions->fd);
	free(sessions);
}

void sessions_freep(struct sessions **sessions)
{
	sessions_free(*sessions);
}
