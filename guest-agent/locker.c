/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/locker.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "guest-agent/root_socket.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* Until the program ends; SIGTERM and SIGINT are passed on. */
static int wait_for(pid_t pid, const sigset_t *signals)
{
	int status, number;

	while (waitpid(pid, &status, WNOHANG) == 0)
		if (sigwait(signals, &number) == 0 && number != SIGCHLD)
			kill(pid, SIGTERM);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int locker_run(const char *socket_path, char *const *argv)
{
	_cleanup_close_ int fd = root_connect(socket_path);
	sigset_t signals;
	pid_t pid;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	r = start(argv, &pid);
	if (r < 0) {
		log_error("%s cannot be started: %s", argv[0], strerror(-r));
		return r;
	}
	/* The screen is locked all the same where nobody can be told. */
	if (fd < 0 || root_say(fd, "locked") < 0)
		log_warning("the host does not hear that the screen is locked");
	return wait_for(pid, &signals);
}
