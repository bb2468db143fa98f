/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/gate/listener.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "display/gate/certificate.h"
#include "display/gate/handshake.h"
#include "display/gate/listen.h"
#include "display/gate/waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

#define ACCEPTS_AT_ONCE 64
#define FIRST_FD 3

/* What a listener gives itself over exec: its sockets keep their numbers. */
struct listener_state {
	size_t n_listen, n_processes;
	int listen[LISTEN_MAX];
};

struct listener {
	const struct conf *conf;
	int listen[LISTEN_MAX];
	size_t n_listen;
	int signals;
	int chain_fd, key_fd;
	struct waiting waiting;
	struct pollfd *polls;
	unsigned long refused; /* since the last line about it */
	long long refused_logged;
};

static long long now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int text_to_memfd(const char *name, const char *text)
{
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));

	if (r == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		r = -errno;
	return r < 0 ? r : steal_fd(&fd);
}

static int load_certificate(struct listener *listener, struct error *err)
{
	_cleanup_(certificate_clear) struct certificate certificate = {0};
	const char *chain = conf_string(listener->conf, CONF_GATE_CERTIFICATE);
	char directory[PATH_MAX], fingerprint[96];
	SSL_CTX *context;
	int r;

	if (fs_path(directory, sizeof(directory), "%s/gate", conf_string(listener->conf, CONF_STATE_DIR)) < 0)
		return error_set(err, -ENAMETOOLONG, "state-dir is too long");
	r = chain[0] ? certificate_load(chain, conf_string(listener->conf, CONF_GATE_KEY), &certificate, err)
		     : certificate_own(directory, conf_string(listener->conf, CONF_GATE_NAMES), &certificate, err);
	if (r < 0)
		return r;
	context = certificate_context(&certificate, err);
	if (!context)
		return err->code;
	SSL_CTX_free(context);
	listener->chain_fd = text_to_memfd("gate-certificate", certificate.chain);
	listener->key_fd = text_to_memfd("gate-key", certificate.key);
	if (listener->chain_fd < 0 || listener->key_fd < 0)
		return error_set(err, -ENOMEM, "cannot keep the certificate");
	if (certificate_fingerprint(certificate.chain, fingerprint) == 0)
		log_notice("certificate SHA-256 %s%s%s", fingerprint, chain[0] ? "" : ", signed by ",
			   chain[0] ? "" : directory);
	return 0;
}

static void __attribute__((noreturn))
connection_exec(const struct listener *listener, const struct waiting_socket *socket)
{
	const int given[] = {socket->fd, listener->chain_fd, listener->key_fd};
	char handshake[24], typing[24], broker[PATH_MAX];
	char *const argv[] = {"hotdesk-gate",
			      "--connection",
			      "--broker",
			      broker,
			      "--handshake-timeout",
			      handshake,
			      "--typing-timeout",
			      typing,
			      "--peer",
			      (char *)(uintptr_t)socket->peer,
			      NULL};
	int high[3];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(handshake, sizeof(handshake), "%lld",
		 (long long)conf_number(listener->conf, CONF_GATE_HANDSHAKE_SECONDS));
	snprintf(typing, sizeof(typing), "%lld", (long long)conf_number(listener->conf, CONF_GATE_TYPING_SECONDS));
	if (fs_path(broker, sizeof(broker), "%s/broker/gate.sock", conf_string(listener->conf, CONF_RUNTIME_DIR)) < 0)
		_exit(127);
	for (size_t i = 0; i < 3; i++)
		high[i] = fcntl(given[i], F_DUPFD_CLOEXEC, FIRST_FD + 3);
	for (int i = 0; i < 3; i++)
		if (high[i] < 0 || dup2(high[i], FIRST_FD + i) < 0)
			_exit(127);
	execv("/proc/self/exe", argv);
	_exit(127);
}

static void start_connection(struct listener *listener, size_t index)
{
	struct waiting_socket socket = waiting_take(&listener->waiting, index);
	char byte;
	pid_t pid;

	/* Gone without a word: not worth a process. */
	if (recv(socket.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
		pid = fork();
		if (pid == 0)
			connection_exec(listener, &socket);
		if (pid > 0)
			waiting_process_started(&listener->waiting, pid, socket.key);
		else
			log_error("cannot make a process for a connection: %s", strerror(errno));
	}
	close(socket.fd);
}

/* A flood must not flood the log as well. */
static void log_refusal(struct listener *listener, const char *reason, const char *peer)
{
	long long now = now_msec();

	listener->refused++;
	if (now - listener->refused_logged < 1000)
		return;
	log_warning("%s: refused: %s (%lu since the last such line)", peer, reason, listener->refused);
	listener->refused = 0;
	listener->refused_logged = now;
}

static void take_connection(struct listener *listener, int fd, const struct sockaddr_storage *address)
{
	struct waiting_socket socket = {.fd = fd, .key = address_key(address)};
	const char *refusal = waiting_refusal(&listener->waiting, socket.key);
	uint32_t random = 0;

	address_text(address, socket.peer, sizeof(socket.peer));
	if (refusal || send(fd, HANDSHAKE_VERSION, HANDSHAKE_VERSION_SIZE, MSG_NOSIGNAL | MSG_DONTWAIT) !=
			   HANDSHAKE_VERSION_SIZE) {
		if (refusal)
			log_refusal(listener, refusal, socket.peer);
		close(fd);
		return;
	}
	socket.deadline = now_msec() + conf_number(listener->conf, CONF_GATE_HANDSHAKE_SECONDS) * 1000;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint32_t)socket.deadline;
	waiting_add(&listener->waiting, &socket, random);
}

static void accept_some(struct listener *listener, int listen_fd)
{
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		struct sockaddr_storage address;
		socklen_t size = sizeof(address);
		int fd = accept4(listen_fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC);

		if (fd < 0)
			return;
		take_connection(listener, fd, &address);
	}
}

static void reap(struct listener *listener)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		waiting_process_ended(&listener->waiting, pid);
}

/* Fills polls: signals, the listening sockets, the waiting ones. Returns their number. */
static size_t fill_polls(struct listener *listener)
{
	size_t n = 0;

	listener->polls[n++] = (struct pollfd){.fd = listener->signals, .events = POLLIN};
	for (size_t i = 0; i < listener->n_listen; i++)
		listener->polls[n++] = (struct pollfd){.fd = listener->listen[i], .events = POLLIN};
	for (size_t i = 0; i < listener->waiting.n_sockets; i++)
		listener->polls[n++] = (struct pollfd){.fd = listener->waiting.sockets[i].fd, .events = POLLIN};
	return n;
}

/* Returns the signal that ends the loop, or 0. */
static int read_signal(struct listener *listener)
{
	struct signalfd_siginfo info;

	if (read(listener->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return 0;
	if (info.ssi_signo != SIGCHLD)
		return (int)info.ssi_signo;
	reap(listener);
	return 0;
}

static int listener_turn(struct listener *listener)
{
	size_t first = 1 + listener->n_listen, n = fill_polls(listener);
	int timeout = listener->waiting.n_sockets > 0 ? 500 : -1, signal = 0;

	if (poll(listener->polls, n, timeout) < 0)
		return 0;
	/* From the end: taking one moves the last into its place. */
	for (size_t i = n; i-- > first;)
		if (listener->polls[i].revents)
			start_connection(listener, i - first);
	waiting_expire(&listener->waiting, now_msec());
	for (size_t i = 1; i < first; i++)
		if (listener->polls[i].revents)
			accept_some(listener, listener->listen[i - 1]);
	if (listener->polls[0].revents)
		signal = read_signal(listener);
	return signal;
}

static int save_state(const struct listener *listener)
{
	struct listener_state state = {.n_listen = listener->n_listen, .n_processes = listener->waiting.n_processes};
	_cleanup_close_ int fd = memfd_create("gate-state", 0);
	int r = fd < 0 ? -errno : 0;

	memcpy(state.listen, listener->listen, sizeof(state.listen));
	for (size_t i = 0; r == 0 && i < listener->n_listen; i++)
		r = fd_set_cloexec(listener->listen[i], 0);
	if (r == 0)
		r = fd_write_all(fd, &state, sizeof(state));
	if (r == 0)
		r = fd_write_all(fd, listener->waiting.processes, state.n_processes * sizeof(struct connected_process));
	return r < 0 ? r : steal_fd(&fd);
}

static void reexec(struct listener *listener, char **argv)
{
	char number[24];
	int fd = save_state(listener);

	if (fd < 0) {
		log_error("cannot start anew: %s", strerror(-fd));
		return;
	}
	snprintf(number, sizeof(number), "%d", fd);
	setenv(LISTENER_STATE, number, 1);
	log_notice("starting anew with the same sockets");
	/* Waiting sockets are close-on-exec: their viewers connect again. Signals stay blocked, so that none is lost in
	 * between. */
	execv("/proc/self/exe", argv);
	log_error("cannot start anew: %s", strerror(errno));
	unsetenv(LISTENER_STATE);
	close(fd);
}

/* 1: sockets of a former self were taken over. */
static int restore_state(struct listener *listener)
{
	const char *number = getenv(LISTENER_STATE);
	struct listener_state state;
	_cleanup_close_ int fd = -1;
	size_t size;

	if (!number)
		return 0;
	fd = (int)strtol(number, NULL, 10);
	unsetenv(LISTENER_STATE);
	if (pread(fd, &state, sizeof(state), 0) != (ssize_t)sizeof(state) || state.n_listen > LISTEN_MAX)
		return -EBADF;
	listener->n_listen = state.n_listen;
	memcpy(listener->listen, state.listen, sizeof(state.listen));
	for (size_t i = 0; i < state.n_listen; i++)
		fd_set_cloexec(listener->listen[i], 1);
	if (state.n_processes > listener->waiting.limits.total)
		state.n_processes = listener->waiting.limits.total;
	size = state.n_processes * sizeof(struct connected_process);
	if (pread(fd, listener->waiting.processes, size, sizeof(state)) == (ssize_t)size)
		listener->waiting.n_processes = state.n_processes;
	return 1;
}

static int listener_init(struct listener *listener, struct error *err)
{
	const struct waiting_limits limits = {
	    .total = (size_t)conf_number(listener->conf, CONF_GATE_MAX),
	    .per_address = (size_t)conf_number(listener->conf, CONF_GATE_MAX_PER_ADDRESS),
	    .soft = (size_t)conf_number(listener->conf, CONF_GATE_WAITING_SOFT),
	};
	sigset_t mask;
	int r = load_certificate(listener, err);

	if (r < 0)
		return r;
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	listener->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	listener->polls = calloc(1 + LISTEN_MAX + limits.total, sizeof(*listener->polls));
	if (listener->signals < 0 || !listener->polls || waiting_init(&listener->waiting, &limits) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	r = restore_state(listener);
	reap(listener); /* whose SIGCHLD came during exec */
	if (r == 0)
		r = listen_open(conf_string(listener->conf, CONF_GATE_LISTEN), listener->listen, &listener->n_listen,
				err);
	else if (r < 0)
		error_set(err, r, "cannot take over the sockets");
	return r < 0 ? r : 0;
}

static int publish_ports(struct listener *listener, struct error *err)
{
	char path[PATH_MAX], text[LISTEN_MAX * 8] = "";
	int r = fs_path(path, sizeof(path), "%s/gate/port", conf_string(listener->conf, CONF_RUNTIME_DIR));

	for (size_t i = 0; i < listener->n_listen; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d\n", listen_port(listener->listen[i]));
	if (r == 0)
		r = fs_write_atomic(path, text, strlen(text), 0644);
	if (r < 0)
		return error_set_errno(err, r, "cannot write %s", path);
	log_notice("ready on port %d (%s)", listen_port(listener->listen[0]),
		   conf_string(listener->conf, CONF_GATE_LISTEN));
	return 0;
}

int listener_run(const struct conf *conf, char **argv, struct error *err)
{
	struct listener listener = {.conf = conf, .signals = -1, .chain_fd = -1, .key_fd = -1};
	int signal = 0, r = listener_init(&listener, err);

	if (r == 0)
		r = publish_ports(&listener, err);
	while (r == 0 && signal != SIGTERM && signal != SIGINT) {
		signal = listener_turn(&listener);
		if (signal == SIGHUP)
			reexec(&listener, argv);
	}
	for (size_t i = 0; i < listener.n_listen; i++)
		close(listener.listen[i]);
	closep(&listener.signals);
	closep(&listener.chain_fd);
	closep(&listener.key_fd);
	free(listener.polls);
	waiting_clear(&listener.waiting);
	return r;
}
