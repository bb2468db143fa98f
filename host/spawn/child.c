/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/spawn/child.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define FIRST_FD 3

/* What the child says through the close-on-exec pipe when a step fails. */
struct child_failure {
	int code;
	char step[60];
};

static void __attribute__((noreturn)) child_fail(int pipe_fd, const char *step)
{
	struct child_failure failure = {.code = errno};
	ssize_t ignored;

	snprintf(failure.step, sizeof(failure.step), "%s", step);
	ignored = write(pipe_fd, &failure, sizeof(failure));
	(void)ignored;
	_exit(127);
}

/* fds may sit on each other's targets: first move all of them above the target range, then down. Returns the pipe's new
 * number. */
static int child_place_fds(const struct child_plan *plan, int pipe_fd)
{
	int above = FIRST_FD + SPAWN_FDS_MAX + 1, moved[SPAWN_FDS_MAX], null;

	pipe_fd = fcntl(pipe_fd, F_DUPFD_CLOEXEC, above);
	if (pipe_fd < 0)
		_exit(127);
	for (size_t i = 0; i < plan->n_fds; i++)
		if ((moved[i] = fcntl(plan->fds[i], F_DUPFD_CLOEXEC, above)) < 0)
			child_fail(pipe_fd, "duplicating a file descriptor");
	for (size_t i = 0; i < plan->n_fds; i++)
		if (dup2(moved[i], FIRST_FD + (int)i) < 0)
			child_fail(pipe_fd, "placing a file descriptor");
	if (plan->stderr_index >= 0 &&
	    (dup2(FIRST_FD + plan->stderr_index, STDERR_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0))
		child_fail(pipe_fd, "placing stderr");
	null = open("/dev/null", O_RDONLY);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		child_fail(pipe_fd, "opening /dev/null");
	if (close_range(FIRST_FD + (unsigned)plan->n_fds, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		child_fail(pipe_fd, "closing the other file descriptors");
	return pipe_fd;
}

static void child_limit(int pipe_fd, int resource, rlim_t value)
{
	struct rlimit limit = {value, value};

	if (setrlimit(resource, &limit) < 0)
		child_fail(pipe_fd, "setting a resource limit");
}

static void child_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child_drop_rights(const struct child_plan *plan, int pipe_fd)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		child_fail(pipe_fd, "giving up new privileges");
	if (plan->change_uid) {
		gid_t gid = (gid_t)plan->uid;

		if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
		    setresuid(plan->uid, plan->uid, plan->uid) < 0)
			child_fail(pipe_fd, "changing the user");
		child_limit(pipe_fd, RLIMIT_NPROC, plan->entry->max_processes);
	}
}

static void __attribute__((noreturn)) child_main(const struct child_plan *plan, int pipe_fd)
{
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", lang[] = "LANG=C.UTF-8", debug[] = "HOTDESK_DEBUG=1";
	const char *verbose = getenv("HOTDESK_DEBUG");
	char *environment[] = {path, lang, verbose && strcmp(verbose, "1") == 0 ? debug : NULL, NULL};

	child_signals();
	setsid();
	pipe_fd = child_place_fds(plan, pipe_fd);
	child_limit(pipe_fd, RLIMIT_CORE, 0);
	child_limit(pipe_fd, RLIMIT_NOFILE, plan->entry->max_files);
	child_drop_rights(plan, pipe_fd);
	execve(plan->path, plan->argv, environment);
	child_fail(pipe_fd, "executing it");
}

static pid_t fork_with_pidfd(int *ret_pidfd)
{
	struct clone_args args = {
	    .flags = CLONE_PIDFD,
	    .pidfd = (uint64_t)(uintptr_t)ret_pidfd,
	    .exit_signal = SIGCHLD,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

int child_start(const struct child_plan *plan, pid_t *ret_pid, int *ret_pidfd, struct error *err)
{
	_cleanup_close_ int reader = -1, writer = -1, pidfd = -1;
	struct child_failure failure;
	int ends[2];
	ssize_t n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set_errno(err, -errno, "cannot make a pipe");
	reader = ends[0];
	writer = ends[1];
	pid = fork_with_pidfd(&pidfd);
	if (pid < 0)
		return error_set_errno(err, -errno, "cannot make a process");
	if (pid == 0)
		child_main(plan, writer);
	close(steal_fd(&writer));
	do
		n = read(reader, &failure, sizeof(failure));
	while (n < 0 && errno == EINTR);
	if (n != 0) {
		waitpid(pid, NULL, 0);
		if (n != (ssize_t)sizeof(failure))
			return error_set(err, -EIO, "%s ended before it started", plan->path);
		return error_set_errno(err, -failure.code, "%s: %.*s", plan->path, (int)sizeof(failure.step),
				       failure.step);
	}
	*ret_pid = pid;
	*ret_pidfd = steal_fd(&pidfd);
	return 0;
}
