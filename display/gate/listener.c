/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/gate/listener.h"

#include "broker/gate_api.h"
#include "common/cleanup.h"
#include "common/clock.h"
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
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#define ACCEPTS_AT_ONCE 64
#define PAUSE_MSEC 200 /* of accepting, where the machine has no more files or memory */
#define SELDOM_MSEC 1000
#define FIRST_FD 3
#define ANSWER_MARGIN_SECONDS 15 /* for the broker's own refusal of a login that took too long to come first */

/* What a listener gives itself over exec: its sockets keep their numbers. */
struct listener_state {
	char spec[1024]; /* of [gate] listen */
	size_t n_listen, n_processes;
	int listen[LISTEN_MAX];
};

/* A line that a flood may cause: a flood must not flood the log as well. */
struct seldom {
	unsigned long times; /* since the last such line */
	long long logged;
};

struct listener {
	const char *path; /* of the configuration */
	const struct conf *conf;
	int listen[LISTEN_MAX];
	size_t n_listen;
	int signals;
	int chain_fd, key_fd;
	struct waiting waiting;
	struct pollfd *polls;
	long long paused; /* until then nothing is accepted (ms, CLOCK_MONOTONIC) */
	struct seldom refused, full, unstarted;
};

static long long now_msec(void)
{
	return (long long)(clock_usec() / 1000);
}

/* 0: the line is not due; otherwise how often its cause came since the last. */
static unsigned long seldom_due(struct seldom *seldom)
{
	long long now = now_msec();
	unsigned long times = ++seldom->times;

	if (now - seldom->logged < SELDOM_MSEC)
		return 0;
	*seldom = (struct seldom){.logged = now};
	return times;
}

static int text_to_memfd(const char *name, const char *text)
{
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));

	if (r == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		r = -errno;
	return r < 0 ? r : steal_fd(&fd);
}

/* Reads or makes the certificate of a configuration and tries whether it can be used. */
static int certificate_of(const struct conf *conf, struct certificate *ret, struct error *err)
{
	const char *chain = conf_string(conf, CONF_GATE_CERTIFICATE);
	char directory[PATH_MAX];
	SSL_CTX *context;
	int r;

	r = fs_path(directory, sizeof(directory), "%s/gate", conf_string(conf, CONF_STATE_DIR));
	if (r < 0) {
		error_set(err, r, "state-dir is too long");
		return r;
	}
	r = chain[0] ? certificate_load(chain, conf_string(conf, CONF_GATE_KEY), ret, err)
		     : certificate_own(directory, conf_string(conf, CONF_GATE_NAMES), ret, err);
	if (r < 0)
		return r;
	context = certificate_context(ret, err);
	SSL_CTX_free(context);
	return context ? 0 : err->code;
}

static int load_certificate(struct listener *listener, struct error *err)
{
	_cleanup_(certificate_clear) struct certificate certificate = {0};
	char fingerprint[96];
	int r = certificate_of(listener->conf, &certificate, err);

	if (r < 0)
		return r;
	listener->chain_fd = text_to_memfd("gate-certificate", certificate.chain);
	listener->key_fd = text_to_memfd("gate-key", certificate.key);
	if (listener->chain_fd < 0 || listener->key_fd < 0)
		return error_set(err, -ENOMEM, "cannot keep the certificate");
	if (certificate_fingerprint(certificate.chain, fingerprint) == 0)
		log_notice("certificate SHA-256 %s%s", fingerprint,
			   conf_string(listener->conf, CONF_GATE_CERTIFICATE)[0] ? "" : ", signed by the own CA");
	return 0;
}

static void __attribute__((noreturn))
connection_exec(const struct listener *listener, const struct waiting_socket *socket)
{
	const int given[] = {socket->fd, listener->chain_fd, listener->key_fd};
	char deadline[24], handshake[24], typing[24], answer[24], broker[PATH_MAX];
	char *const argv[] = {"hotdesk-gate",
			      "--connection",
			      "--broker",
			      broker,
			      "--deadline",
			      deadline,
			      "--handshake-timeout",
			      handshake,
			      "--typing-timeout",
			      typing,
			      "--answer-timeout",
			      answer,
			      "--peer",
			      (char *)(uintptr_t)socket->peer,
			      NULL};
	int high[3];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(deadline, sizeof(deadline), "%lld", socket->deadline);
	snprintf(handshake, sizeof(handshake), "%lld",
		 (long long)conf_number(listener->conf, CONF_GATE_HANDSHAKE_SECONDS));
	snprintf(typing, sizeof(typing), "%lld", (long long)conf_number(listener->conf, CONF_GATE_TYPING_SECONDS));
	snprintf(answer, sizeof(answer), "%lld",
		 (long long)conf_number(listener->conf, CONF_AUTH_TIMEOUT) + GATE_START_SECONDS +
		     ANSWER_MARGIN_SECONDS);
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

static void log_unstarted(struct listener *listener, int error)
{
	unsigned long times = seldom_due(&listener->unstarted);

	if (times > 0)
		log_error("cannot make a process for a connection: %s (%lu since the last such line)", strerror(error),
			  times);
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
			log_unstarted(listener, errno);
	}
	close(socket.fd);
}

static void log_refusal(struct listener *listener, const char *reason, const char *peer)
{
	unsigned long times = seldom_due(&listener->refused);

	if (times > 0)
		log_warning("%s: refused: %s (%lu since the last such line)", peer, reason, times);
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

/*
 * accept4 failed for want of a file or memory. The connection stays ready, so that polling for it would not wait: one
 * that has said nothing makes room, or nothing is accepted for a moment.
 */
static void make_room(struct listener *listener, int error)
{
	unsigned long times = seldom_due(&listener->full);

	if (times > 0)
		log_error("cannot accept connections: %s (%lu since the last such line)", strerror(error), times);
	if (listener->waiting.n_sockets > 0)
		close(waiting_take(&listener->waiting, 0).fd);
	else
		listener->paused = now_msec() + PAUSE_MSEC;
}

static void accept_some(struct listener *listener, int listen_fd)
{
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		struct sockaddr_storage address;
		socklen_t size = sizeof(address);
		int fd = accept4(listen_fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
			make_room(listener, errno);
		if (fd < 0)
			return;
		take_connection(listener, fd, &address);
	}
}

static void reap(struct listener *listener)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (WIFSIGNALED(status))
			log_warning("connection process %d was ended by signal %d", (int)pid, WTERMSIG(status));
		waiting_process_ended(&listener->waiting, pid);
	}
}

/* Fills polls: signals, the listening sockets, the waiting ones. Returns their number. */
static size_t fill_polls(struct listener *listener)
{
	short accepting = now_msec() < listener->paused ? 0 : POLLIN;
	size_t n = 0;

	listener->polls[n++] = (struct pollfd){.fd = listener->signals, .events = POLLIN};
	for (size_t i = 0; i < listener->n_listen; i++)
		listener->polls[n++] = (struct pollfd){.fd = listener->listen[i], .events = accepting};
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

/* How long nothing needs to be done if nothing happens. */
static int turn_timeout(const struct listener *listener)
{
	long long left = listener->paused - now_msec();

	if (left > 0)
		return (int)left;
	return listener->waiting.n_sockets > 0 ? 500 : -1;
}

static int listener_turn(struct listener *listener)
{
	size_t first = 1 + listener->n_listen, n = fill_polls(listener);
	int signal = 0;

	if (poll(listener->polls, n, turn_timeout(listener)) < 0)
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

/* *ret_fd survives exec, and so do the listening sockets. */
static int save_state(const struct listener *listener, int *ret_fd)
{
	struct listener_state state = {.n_listen = listener->n_listen, .n_processes = listener->waiting.n_processes};
	_cleanup_close_ int fd = memfd_create("gate-state", 0);
	int r = fd < 0 ? -errno : 0;

	memcpy(state.listen, listener->listen, sizeof(state.listen));
	snprintf(state.spec, sizeof(state.spec), "%s", conf_string(listener->conf, CONF_GATE_LISTEN));
	if (r == 0)
		r = fd_write_all(fd, &state, sizeof(state));
	if (r == 0)
		r = fd_write_all(fd, listener->waiting.processes, state.n_processes * sizeof(struct connected_process));
	for (size_t i = 0; r == 0 && i < listener->n_listen; i++)
		r = fd_set_cloexec(listener->listen[i], 0);
	if (r == 0)
		*ret_fd = steal_fd(&fd);
	return r;
}

static int check_anew(const struct listener *listener, struct error *err)
{
	_cleanup_(conf_freep) struct conf *conf = NULL;
	_cleanup_(certificate_clear) struct certificate certificate = {0};
	int r = conf_load(listener->path, &conf, err);

	return r < 0 ? r : certificate_of(conf, &certificate, err);
}

/* By its path, which after an upgrade is the new program's; the link's text then names the old one. */
static void exec_anew(char **argv)
{
	static const char deleted[] = " (deleted)";
	char path[PATH_MAX] = "";
	size_t length;

	if (readlink("/proc/self/exe", path, sizeof(path) - 1) > 0) {
		length = strlen(path);
		if (length > strlen(deleted) && strcmp(path + length - strlen(deleted), deleted) == 0)
			path[length - strlen(deleted)] = '\0';
		execv(path, argv);
	}
	execv("/proc/self/exe", argv);
	log_error("cannot start anew: %s", strerror(errno));
}

static void start_anew(struct listener *listener, char **argv)
{
	struct error err = {0};
	char number[24];
	int fd = -1, r = check_anew(listener, &err);

	if (r == 0)
		r = save_state(listener, &fd);
	if (r < 0) {
		log_error("goes on as it was: %s", err.text[0] ? err.text : strerror(-r));
	} else {
		snprintf(number, sizeof(number), "%d", fd);
		setenv(LISTENER_STATE, number, 1);
		log_notice("starting anew with the same sockets");
		/* Waiting sockets are close-on-exec: their viewers connect again. Signals stay blocked, so that none
		 * is lost in between. */
		exec_anew(argv);
		unsetenv(LISTENER_STATE);
		close(fd);
	}
	for (size_t i = 0; i < listener->n_listen; i++)
		fd_set_cloexec(listener->listen[i], 1);
}

static void adopt_processes(struct listener *listener, int fd, size_t n)
{
	size_t size;

	if (n > listener->waiting.limits.total)
		n = listener->waiting.limits.total;
	size = n * sizeof(struct connected_process);
	if (pread(fd, listener->waiting.processes, size, sizeof(struct listener_state)) == (ssize_t)size)
		listener->waiting.n_processes = n;
}

/* 1: the sockets of a former self were taken over; 0: there are none, or other ones are configured now. */
static int restore_state(struct listener *listener)
{
	const char *number = getenv(LISTENER_STATE);
	_cleanup_close_ int fd = number ? (int)strtol(number, NULL, 10) : -1;
	struct listener_state state;
	bool same;

	if (!number)
		return 0;
	unsetenv(LISTENER_STATE);
	if (pread(fd, &state, sizeof(state), 0) != (ssize_t)sizeof(state) || state.n_listen > LISTEN_MAX)
		return -EBADF;
	adopt_processes(listener, fd, state.n_processes);
	same = strcmp(state.spec, conf_string(listener->conf, CONF_GATE_LISTEN)) == 0;
	for (size_t i = 0; i < state.n_listen; i++) {
		if (same)
			fd_set_cloexec(state.listen[i], 1);
		else
			close(state.listen[i]);
	}
	if (!same)
		return 0;
	listener->n_listen = state.n_listen;
	memcpy(listener->listen, state.listen, sizeof(state.listen));
	return 1;
}

static int listener_init(struct listener *listener, struct error *err)
{
	const struct waiting_limits limits = {
	    .total = (size_t)conf_number(listener->conf, CONF_GATE_MAX),
	    .per_address = (size_t)conf_number(listener->conf, CONF_GATE_MAX_PER_ADDRESS),
	    .soft = (size_t)conf_number(listener->conf, CONF_GATE_WAITING_SOFT),
	};
	struct rlimit files;
	sigset_t mask;
	int r = load_certificate(listener, err);

	if (r < 0)
		return r;
	/* One file for each waiting connection. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
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

static void listener_clear(struct listener *listener)
{
	for (size_t i = 0; i < listener->n_listen; i++)
		close(listener->listen[i]);
	closep(&listener->signals);
	closep(&listener->chain_fd);
	closep(&listener->key_fd);
	free(listener->polls);
	waiting_clear(&listener->waiting);
}

int listener_run(const struct conf *conf, const char *path, char **argv, struct error *err)
{
	_cleanup_(listener_clear) struct listener listener = {
	    .conf = conf, .path = path, .signals = -1, .chain_fd = -1, .key_fd = -1};
	int signal = 0, r = listener_init(&listener, err);

	if (r == 0)
		r = publish_ports(&listener, err);
	while (r == 0 && signal != SIGTERM && signal != SIGINT) {
		signal = listener_turn(&listener);
		if (signal == SIGHUP)
			start_anew(&listener, argv);
	}
	return r;
}
