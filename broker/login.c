/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/login.h"

#include "broker/gate_api.h"
#include "broker/place.h"
#include "broker/refusals.h"
#include "broker/viewer.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/packet.h"
#include "common/user.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOGINS_MAX 512
#define REQUEST_USEC (10 * UINT64_C(1000000)) /* until the gate has sent what the person typed */
#define START_USEC (GATE_START_SECONDS * UINT64_C(1000000))

struct login {
	struct login *next;
	struct logins *logins;
	struct broker *broker;
	sd_event_source *io, *timer;
	int fd;
	char user[GATE_NAME_MAX], typed[GATE_NAME_MAX], peer[GATE_PEER_MAX];
	char pool[STORE_NAME_SIZE]; /* "": no choice made */
	bool authenticating;
	struct viewer *viewer;
};

struct logins {
	struct broker *broker;
	sd_event_source *accept;
	uid_t gate_uid;
	struct login *first;
	size_t n;
};

/* Cancels what is still under way. */
static void login_free(struct login *login)
{
	if (login->authenticating)
		auth_client_cancel(login->broker->auth, login);
	if (login->viewer)
		viewer_cancel(login->viewer);
	sd_event_source_disable_unref(login->io);
	sd_event_source_disable_unref(login->timer);
	close(login->fd);
	free(login);
}

static void login_drop(struct login *login)
{
	struct login **at = &login->logins->first;

	while (*at && *at != login)
		at = &(*at)->next;
	if (*at) {
		*at = login->next;
		login->logins->n--;
	}
	login_free(login);
}

/* Cut in front of a UTF-8 sequence that does not fit. */
static void copy_reason(char *to, size_t size, const char *reason)
{
	size_t n = strlen(reason);

	if (n >= size)
		for (n = size - 1; n > 0 && ((unsigned char)reason[n] & 0xc0) == 0x80;)
			n--;
	memcpy(to, reason, n);
	to[n] = '\0';
}

static void answer_fd(int fd, enum gate_status status, const char *reason, int stream_fd)
{
	struct gate_result result = {.version = GATE_API_VERSION, .status = status};
	int r;

	copy_reason(result.reason, sizeof(result.reason), reason);
	r = packet_send(fd, &result, sizeof(result), &stream_fd, stream_fd >= 0 ? 1 : 0);
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		log_warning("the gate cannot be answered: %s", strerror(-r));
}

static void refuse(struct login *login, const char *reason)
{
	refusals_add(login->broker->refusals, login->user, login->peer, login->pool, reason);
	answer_fd(login->fd, GATE_REFUSED, reason, -1);
	login_drop(login);
}

static void display_ready(int r, int stream_fd, const struct error *err, void *userdata)
{
	struct login *login = userdata;
	_cleanup_close_ int stream = stream_fd;

	login->viewer = NULL;
	if (r < 0) {
		refuse(login, err->text);
		return;
	}
	answer_fd(login->fd, GATE_OK, "", stream);
	login_drop(login);
}

static void authenticated(enum auth_result result, const struct identity *identity, const char *text, void *userdata)
{
	struct login *login = userdata;
	struct place place;
	struct error err = {0};
	int r;

	login->authenticating = false;
	if (result != AUTH_OK) {
		refuse(login, text);
		return;
	}
	r = place_login(login->broker, identity, login->pool, login->peer, &place, &err);
	if (r >= 0)
		r = viewer_start(place.desktop, &place.viewer, place.keyboard, display_ready, login, &login->viewer);
	if (r < 0)
		refuse(login, err.code < 0
				  ? err.text
				  : "The program that shows your desktop cannot be started. Please try again.");
}

static int too_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct login *login = userdata;

	(void)source;
	(void)usec;
	if (login->authenticating || login->viewer)
		refuse(login, "The login took too long. Please try again.");
	else
		login_drop(login);
	return 0;
}

static void authenticate(struct login *login, int password_fd)
{
	struct broker *broker = login->broker;
	uint64_t timeout = (uint64_t)conf_number(broker->conf, CONF_AUTH_TIMEOUT) * 1000000;
	int r;

	broker_timer(broker, &login->timer, timeout + START_USEC, too_late, login);
	r = auth_client_authenticate(broker->auth, login->user, password_fd, login->peer, timeout, authenticated,
				     login);
	if (r < 0)
		refuse(login, "Logins cannot be checked at the moment. Please try again in a few seconds.");
	else
		login->authenticating = true;
}

static int split_name(struct login *login)
{
	_cleanup_free_ struct pool *pools = NULL;
	const struct pool *pool;
	size_t n = 0;
	int r = store_pools(login->broker->store, &pools, &n);

	if (r < 0)
		return r;
	pool = assign_split_name(login->typed, pools, n, login->user);
	if (pool)
		memcpy(login->pool, pool->name, sizeof(login->pool));
	return 0;
}

static bool is_terminated(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool take_request(struct login *login, const struct gate_login *request)
{
	if (request->version != GATE_API_VERSION || !is_terminated(request->name, sizeof(request->name)) ||
	    !is_terminated(request->peer, sizeof(request->peer)))
		return false;
	memcpy(login->typed, request->name, sizeof(login->typed));
	memcpy(login->peer, request->peer, sizeof(login->peer));
	for (char *c = login->peer; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return true;
}

static void begin(struct login *login, const struct gate_login *request, int password_fd)
{
	if (!take_request(login, request)) {
		answer_fd(login->fd, GATE_REFUSED, "The parts of hotdesk do not fit: restart all of them.", -1);
		login_drop(login);
	} else if (!user_is_valid(login->typed)) {
		login->typed[0] = '\0';
		refuse(login, "This is not a user name. Type the name of your account.");
	} else if (split_name(login) < 0) {
		refuse(login, "The broker's store cannot be read. Ask your administrator.");
	} else {
		authenticate(login, password_fd);
	}
}

/* The request; afterwards the gate has nothing to say but that it is gone. */
static int readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct login *login = userdata;
	struct gate_login request;
	_cleanup_close_ int password_fd = -1;
	size_t n_fds = 0;
	int r;

	(void)source;
	(void)events;
	r = packet_recv(fd, &request, sizeof(request), &password_fd, 1, &n_fds);
	if (r == -EAGAIN)
		return 0;
	if (r <= 0 || login->authenticating || login->viewer || n_fds != 1) {
		if (login->authenticating || login->viewer)
			log_info("login of %s from %s: the viewer went away", login->user, login->peer);
		login_drop(login);
		return 0;
	}
	begin(login, &request, password_fd);
	return 0;
}

/* Takes fd over. */
static int login_new(struct logins *logins, int fd)
{
	struct login *login = calloc(1, sizeof(*login));
	int r;

	if (!login) {
		close(fd);
		return -ENOMEM;
	}
	login->logins = logins;
	login->broker = logins->broker;
	login->fd = fd;
	r = sd_event_add_io(logins->broker->event, &login->io, fd, EPOLLIN, readable, login);
	if (r >= 0)
		r = broker_timer(logins->broker, &login->timer, REQUEST_USEC, too_late, login);
	if (r < 0) {
		login_free(login);
		return r;
	}
	login->next = logins->first;
	logins->first = login;
	logins->n++;
	return 0;
}

static bool may_log_in(const struct logins *logins, int fd)
{
	uid_t uid;

	return packet_peer(fd, &uid, NULL) >= 0 && (uid == 0 || uid == getuid() || uid == logins->gate_uid);
}

static int acceptable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct logins *logins = userdata;
	_cleanup_close_ int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int r;

	(void)source;
	(void)events;
	if (peer < 0)
		return 0;
	if (!may_log_in(logins, peer)) {
		log_warning("a connection to the gate's socket was refused: not the gate's user");
		return 0;
	}
	if (logins->n >= LOGINS_MAX) {
		answer_fd(peer, GATE_REFUSED, "Too many people are logging in. Please try again in a few seconds.", -1);
		return 0;
	}
	r = login_new(logins, steal_fd(&peer));
	if (r < 0)
		log_error("a login cannot be taken: %s", strerror(-r));
	return 0;
}

static int open_door(struct logins *logins, struct error *err)
{
	struct broker *broker = logins->broker;
	const char *gate = conf_string(broker->conf, CONF_RUN_GATE);
	char path[PATH_MAX];
	int fd, r = user_resolve(gate, &logins->gate_uid, NULL);

	if (r < 0)
		return error_set(err, r, "[run-as] gate = %s: there is no such user", gate);
	r = broker_path(broker, path, sizeof(path), "gate.sock");
	fd = r < 0 ? r : packet_listen(path, 0666);
	if (fd < 0)
		return error_set_errno(err, fd, "the gate's socket %s cannot be made", path);
	r = sd_event_add_io(broker->event, &logins->accept, fd, EPOLLIN, acceptable, logins);
	if (r < 0) {
		close(fd);
		return error_set_errno(err, r, "the gate's socket cannot be watched");
	}
	sd_event_source_set_io_fd_own(logins->accept, 1);
	return 0;
}

int logins_new(struct broker *broker, struct logins **ret, struct error *err)
{
	struct logins *logins = calloc(1, sizeof(*logins));
	int r;

	if (!logins)
		return error_set_errno(err, -ENOMEM, "logins");
	logins->broker = broker;
	r = open_door(logins, err);
	if (r < 0) {
		logins_free(logins);
		return r;
	}
	*ret = logins;
	return 0;
}

void logins_free(struct logins *logins)
{
	if (!logins)
		return;
	sd_event_source_disable_unref(logins->accept);
	while (logins->first) {
		struct login *login = logins->first;

		logins->first = login->next;
		login_free(login);
	}
	free(logins);
}

size_t logins_count(const struct logins *logins)
{
	return logins->n;
}
