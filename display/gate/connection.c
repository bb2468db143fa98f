/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/gate/connection.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/packet.h"
#include "common/sandbox.h"
#include "display/gate/certificate.h"
#include "display/gate/handshake.h"
#include "display/gate/relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define BROKER_CONNECT_MSEC 5000
#define PEM_MAX (1u << 20)
#define LINGER_MSEC 2000

/* What OpenSSL's server side, the relay and the C library need; neither open nor exec nor socket. */
static const char *const allowed[] = {
    "read",
    "write",
    "readv",
    "writev",
    "recvfrom",
    "sendto",
    "recvmsg",
    "sendmsg",
    "poll",
    "ppoll",
    "close",
    "connect",
    "shutdown",
    "getsockopt",
    "setsockopt",
    "memfd_create",
    "fcntl",
    "ftruncate",
    "lseek",
    "pread64",
    "pwrite64",
    "fstat",
    "newfstatat",
    "mmap",
    "munmap",
    "mremap",
    "madvise",
    "mprotect",
    "mlock",
    "munlock",
    "brk",
    "futex",
    "getrandom",
    "clock_gettime",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "getpid",
    "gettid",
    "exit",
    "exit_group",
    "rt_sigreturn",
    "rt_sigprocmask",
    "rt_sigaction",
    "sigaltstack",
    "sched_yield",
    "restart_syscall",
    NULL,
};

struct connection {
	const struct connection_settings *settings;
	SSL *tls;
	bool secured;
	int broker; /* an unconnected SOCK_SEQPACKET socket; non-blocking, as even its connect may wait */
	struct handshake handshake;
	long long deadline; /* ms, CLOCK_MONOTONIC */
};

static long long now_msec(void)
{
	return (long long)(clock_usec() / 1000);
}

static void set_deadline(struct connection *connection, int seconds)
{
	connection->deadline = now_msec() + seconds * 1000LL;
}

static int wait_for(struct connection *connection, int fd, short events)
{
	long long left = connection->deadline - now_msec();
	struct pollfd poll_fd = {.fd = fd, .events = events};
	int n = left <= 0 ? 0 : poll(&poll_fd, 1, (int)left);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

/* Waits for what the last TLS call asked; negative when it failed for good. */
static int wait_tls(struct connection *connection, int n)
{
	int wanted = SSL_get_error(connection->tls, n);

	if (wanted == SSL_ERROR_WANT_READ)
		return wait_for(connection, connection->settings->socket, POLLIN);
	if (wanted == SSL_ERROR_WANT_WRITE)
		return wait_for(connection, connection->settings->socket, POLLOUT);
	return wanted == SSL_ERROR_ZERO_RETURN ? -ECONNRESET : -EPROTO;
}

static int read_plain(struct connection *connection, uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t n = recv(connection->settings->socket, data, size, 0);
		int r = 0;

		if (n == 0)
			return -ECONNRESET;
		if (n < 0)
			r = errno == EAGAIN || errno == EINTR
				? wait_for(connection, connection->settings->socket, POLLIN)
				: -errno;
		if (r < 0)
			return r;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int read_tls(struct connection *connection, uint8_t *data, size_t size)
{
	while (size > 0) {
		int n, r;

		ERR_clear_error();
		n = SSL_read(connection->tls, data, (int)size);
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		} else if ((r = wait_tls(connection, n)) < 0) {
			return r;
		}
	}
	return 0;
}

static int send_plain(struct connection *connection, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t n = send(connection->settings->socket, data, size, MSG_NOSIGNAL);
		int r = 0;

		if (n < 0)
			r = errno == EAGAIN || errno == EINTR
				? wait_for(connection, connection->settings->socket, POLLOUT)
				: -errno;
		if (r < 0)
			return r;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int send_tls(struct connection *connection, const uint8_t *data, size_t size)
{
	while (size > 0) {
		int n, r;

		ERR_clear_error();
		n = SSL_write(connection->tls, data, (int)size);
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		} else if ((r = wait_tls(connection, n)) < 0) {
			return r;
		}
	}
	return 0;
}

static int flush(struct connection *connection)
{
	struct handshake *handshake = &connection->handshake;
	size_t size = handshake->out_size;

	handshake->out_size = 0;
	return connection->secured ? send_tls(connection, handshake->out, size)
				   : send_plain(connection, handshake->out, size);
}

/* Feeds the handshake until it reaches `until`; -EPROTO when it refused, with its reason sent and logged. */
static int shake(struct connection *connection, enum handshake_state until)
{
	struct handshake *handshake = &connection->handshake;
	uint8_t data[HANDSHAKE_IN_MAX];
	int r = 0;

	while (r == 0 && handshake->state != until) {
		r = connection->secured ? read_tls(connection, data, handshake->need)
					: read_plain(connection, data, handshake->need);
		if (r < 0)
			break;
		handshake_feed(handshake, data);
		r = flush(connection);
		if (handshake->state == HANDSHAKE_FAILED) {
			log_info("%s: %s", connection->settings->peer, handshake->reason);
			r = -EPROTO;
		}
	}
	explicit_bzero(data, sizeof(data));
	if (r < 0 && handshake->state != HANDSHAKE_FAILED)
		log_info("%s: %s", connection->settings->peer,
			 r == -ETIMEDOUT ? "said nothing in time" : "left before it logged in");
	return r;
}

static int start_tls(struct connection *connection)
{
	int n, r = 0;

	ERR_clear_error();
	while (r == 0 && (n = SSL_accept(connection->tls)) != 1)
		r = wait_tls(connection, n);
	if (r < 0) {
		char text[160] = "the peer left";
		unsigned long code = ERR_get_error();

		if (code)
			ERR_error_string_n(code, text, sizeof(text));
		log_info("%s: no TLS: %s", connection->settings->peer, r == -ETIMEDOUT ? "it took too long" : text);
		return r;
	}
	connection->secured = true;
	handshake_secured(&connection->handshake);
	return 0;
}

static int broker_connect(struct connection *connection)
{
	long long end = now_msec() + BROKER_CONNECT_MSEC;
	int r;

	while ((r = packet_connect_socket(connection->broker, connection->settings->broker)) < 0 && now_msec() < end)
		poll(NULL, 0, 50);
	return r;
}

static int broker_send(struct connection *connection)
{
	struct handshake *handshake = &connection->handshake;
	struct gate_login login = {.version = GATE_API_VERSION};
	_cleanup_close_ int password = -1;
	int r = secret_to_memfd(handshake->password, &password);

	secret_free(handshake->password);
	handshake->password = NULL;
	if (r < 0)
		return r;
	memcpy(login.name, handshake->name, handshake->name_size);
	memcpy(login.peer, connection->settings->peer, sizeof(login.peer));
	return packet_send(connection->broker, &login, sizeof(login), &password, 1);
}

/* A viewer that leaves while it waits ends the login: the broker sees this process' end. */
static int broker_wait(struct connection *connection)
{
	struct pollfd fds[2] = {{.fd = connection->broker, .events = POLLIN},
				{.fd = connection->settings->socket, .events = POLLRDHUP}};
	int n;

	do
		n = poll(fds, 2, connection->settings->answer_seconds * 1000);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -ETIMEDOUT;
	return fds[0].revents ? 0 : -ECONNABORTED;
}

/* 0 with the display's stream, -EACCES with the broker's reason, -EBADMSG or another errno without an answer. */
static int broker_answer(struct connection *connection, int *ret_stream, char reason[GATE_REASON_MAX])
{
	struct gate_result result;
	size_t n_fds = 0;
	int stream = -1, r = packet_recv(connection->broker, &result, sizeof(result), &stream, 1, &n_fds);

	if (r != 1)
		return r < 0 ? r : -ECONNRESET;
	if (result.version == GATE_API_VERSION && result.status == GATE_OK && n_fds == 1) {
		*ret_stream = stream;
		return 0;
	}
	if (n_fds > 0)
		close(stream);
	if (result.version != GATE_API_VERSION || result.status != GATE_REFUSED)
		return -EBADMSG;
	result.reason[GATE_REASON_MAX - 1] = '\0';
	memcpy(reason, result.reason, GATE_REASON_MAX);
	return -EACCES;
}

/* 0 with the display's stream, or negative with a reason for the viewer. */
static int log_in(struct connection *connection, int *ret_stream, char reason[GATE_REASON_MAX])
{
	int r = broker_connect(connection);

	if (r < 0) {
		snprintf(reason, GATE_REASON_MAX, "hotdesk's broker is not running: try again in a moment.");
		return r;
	}
	r = broker_send(connection);
	if (r == 0)
		r = broker_wait(connection);
	if (r == 0)
		r = broker_answer(connection, ret_stream, reason);
	if (r == -ETIMEDOUT)
		snprintf(reason, GATE_REASON_MAX, "hotdesk did not answer in time: please try again.");
	else if (r < 0 && r != -EACCES)
		snprintf(reason, GATE_REASON_MAX, "hotdesk was restarted while you logged in: please try again.");
	return r;
}

/* Closing a socket with unread bytes resets the connection and takes the last words with it (RFC 1122, 4.2.2.13). */
static void linger(struct connection *connection)
{
	char ignored[4096];

	connection->deadline = now_msec() + LINGER_MSEC;
	shutdown(connection->settings->socket, SHUT_WR);
	for (;;) {
		ssize_t n = recv(connection->settings->socket, ignored, sizeof(ignored), 0);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return;
		if (n < 0 && wait_for(connection, connection->settings->socket, POLLIN) < 0)
			return;
		if (now_msec() > connection->deadline)
			return;
	}
}

/* -EACCES when the reason was sent. */
static int refuse(struct connection *connection, const char *reason)
{
	int r;

	log_notice("%s: %.*s refused: %s", connection->settings->peer, (int)connection->handshake.name_size,
		   connection->handshake.name, reason);
	set_deadline(connection, connection->settings->handshake_seconds);
	handshake_security_result(&connection->handshake, reason);
	r = flush(connection);
	return r < 0 ? r : -EACCES;
}

static int relay(struct connection *connection, int stream)
{
	int r;

	set_deadline(connection, connection->settings->handshake_seconds);
	handshake_security_result(&connection->handshake, NULL);
	r = flush(connection);
	if (r == 0)
		r = fd_set_nonblock(stream, 1);
	handshake_clear(&connection->handshake);
	return r < 0 ? r : relay_run(connection->tls, connection->settings->socket, stream);
}

static int serve(struct connection *connection)
{
	char reason[GATE_REASON_MAX];
	_cleanup_close_ int stream = -1;
	int r;

	connection->deadline = connection->settings->deadline;
	r = shake(connection, HANDSHAKE_START_TLS);
	if (r == 0)
		r = start_tls(connection);
	if (r < 0)
		return r;
	set_deadline(connection, connection->settings->typing_seconds);
	r = shake(connection, HANDSHAKE_DONE);
	if (r < 0)
		return r;
	r = log_in(connection, &stream, reason);
	if (r == -ECONNABORTED) {
		log_info("%s: left while it logged in", connection->settings->peer);
		return r;
	}
	return r < 0 ? refuse(connection, reason) : relay(connection, stream);
}

/* r is serve's: 0 after the display ended, -EACCES and -EPROTO after a refusal was sent. */
static void say_goodbye(struct connection *connection, int r)
{
	if (r != 0 && r != -EACCES && r != -EPROTO)
		return;
	ERR_clear_error();
	if (connection->secured)
		SSL_shutdown(connection->tls);
	linger(connection);
}

static int memfd_text(int fd, char **ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fs_read_file(path, PEM_MAX, ret, NULL);
}

static SSL *make_tls(const struct connection_settings *settings, struct error *err)
{
	_cleanup_(certificate_clear) struct certificate certificate = {0};
	SSL_CTX *context;
	SSL *tls;

	if (memfd_text(settings->chain_fd, &certificate.chain) < 0 ||
	    memfd_text(settings->key_fd, &certificate.key) < 0) {
		error_set(err, -EIO, "cannot read the certificate given by the listener");
		return NULL;
	}
	context = certificate_context(&certificate, err);
	tls = context ? SSL_new(context) : NULL;
	SSL_CTX_free(context);
	if (tls && SSL_set_fd(tls, settings->socket) != 1) {
		SSL_free(tls);
		return NULL;
	}
	return tls;
}

static void prepare_socket(int fd)
{
	const int on = 1, idle = 60, interval = 15, count = 4;

	/* Hardening and latency: none of these decides whether the connection works. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

int connection_run(const struct connection_settings *settings)
{
	struct connection connection = {.settings = settings};
	struct error err = {0};
	int r;

	handshake_init(&connection.handshake);
	prepare_socket(settings->socket);
	connection.tls = make_tls(settings, &err);
	connection.broker = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = fd_set_nonblock(settings->socket, 1);
	if (r == 0)
		r = sandbox_enter(allowed);
	if (!connection.tls || connection.broker < 0 || r < 0) {
		log_error("cannot serve a connection: %s", err.text[0] ? err.text : strerror(r < 0 ? -r : errno));
		return 1;
	}
	r = serve(&connection);
	handshake_clear(&connection.handshake);
	say_goodbye(&connection, r);
	SSL_free(connection.tls);
	return r < 0;
}
