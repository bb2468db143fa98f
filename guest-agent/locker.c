/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/locker.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "guest-agent/root_socket.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOCKER_RETRY_MS 1000

static int start(char *const *argv, pid_t *ret)
{
	posix_spawnattr_t attributes;
	sigset_t none;
	int r;

	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	r = posix_spawnp(ret, argv[0], NULL, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	return -r;
}

struct lock {
	const char *socket_path;
	pid_t pid;   /* of the program */
	int root_fd; /* the screen counts as locked while it is open; -1: nobody is there to be told */
	int signals_fd;
};

static void tell(struct lock *lock)
{
	lock->root_fd = root_connect(lock->socket_path);
	if (lock->root_fd >= 0 && root_say(lock->root_fd, "locked") == 0)
		return;
	closep(&lock->root_fd);
	lock->root_fd = -1;
}

/* The root part says nothing: what can be read is the end of the connection, since it restarts. */
static void look_at_root(struct lock *lock)
{
	char byte;
	ssize_t n;

	if (lock->root_fd < 0) {
		tell(lock);
		return;
	}
	n = recv(lock->root_fd, &byte, 1, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		closep(&lock->root_fd);
		lock->root_fd = -1;
	}
}

/* Until the program ends; SIGTERM and SIGINT are passed on. */
static int wait_for(struct lock *lock)
{
	int status;

	while (waitpid(lock->pid, &status, WNOHANG) == 0) {
		struct pollfd fds[] = {{.fd = lock->signals_fd, .events = POLLIN},
				       {.fd = lock->root_fd, .events = POLLIN}};
		struct signalfd_siginfo info;

		if (poll(fds, 2, lock->root_fd < 0 ? LOCKER_RETRY_MS : -1) >= 0)
			look_at_root(lock);
		if (read(lock->signals_fd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo != SIGCHLD)
			kill(lock->pid, SIGTERM);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int signals_open(void)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int locker_run(const char *socket_path, char *const *argv)
{
	struct lock lock = {.socket_path = socket_path, .root_fd = -1, .signals_fd = signals_open()};
	int r = lock.signals_fd < 0 ? lock.signals_fd : start(argv, &lock.pid);

	if (r < 0) {
		log_error("%s cannot be started: %s", argv[0], strerror(-r));
	} else {
		tell(&lock);
		/* The screen is locked all the same where nobody can be told. */
		if (lock.root_fd < 0)
			log_warning("the host does not hear that the screen is locked");
		r = wait_for(&lock);
	}
	closep(&lock.root_fd);
	closep(&lock.signals_fd);
	return r;
}
