/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/spawn/child.h"

#include "common/cleanup.h"
#include "common/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define FIRST_FD 3
#define WORD_MAX 48

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

/* The end of the pipe instead of a byte: spawn was killed, or could not write the record. */
static void child_wait(int go)
{
	char byte;
	ssize_t n;

	do
		n = read(go, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(0);
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

/* Never above what spawn itself was given: only root could raise that. */
static void child_limit(int pipe_fd, int resource, rlim_t value)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		child_fail(pipe_fd, "reading a resource limit");
	if (value < limit.rlim_max)
		limit.rlim_max = value;
	limit.rlim_cur = limit.rlim_max;
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

/*
 * An empty one that ends with the process. What this machine unmounts later goes here as well. In a plain chroot, whose
 * root is no mount point, others might see what is mounted here: the process has the chroot's own then.
 */
static void child_make_tmp(int pipe_fd)
{
	int r = mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);

	if (r < 0 && errno == EINVAL)
		return;
	if (r < 0 ||
	    mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=64k,nr_inodes=16") < 0)
		child_fail(pipe_fd, "making its own /tmp");
}

static void child_change_user(const struct child_plan *plan, int pipe_fd)
{
	gid_t gid = (gid_t)plan->uid, kvm = plan->entry->kvm ? plan->kvm_group : 0;

	if (plan->namespaces && unshare(plan->entry->namespaces) < 0)
		child_fail(pipe_fd, "making its namespaces");
	if (plan->namespaces && (plan->entry->namespaces & CLONE_NEWNS))
		child_make_tmp(pipe_fd);
	if (setgroups(kvm ? 1 : 0, &kvm) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(plan->uid, plan->uid, plan->uid) < 0)
		child_fail(pipe_fd, "changing the user");
	child_limit(pipe_fd, RLIMIT_NPROC, plan->entry->max_processes);
}

static int deny_calls(const char *const *names)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? 0 : -ENOMEM;

	for (; *names && r == 0; names++) {
		int number = seccomp_syscall_resolve_name(*names);

		if (number != __NR_SCMP_ERROR)
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0);
	}
	if (r == 0)
		r = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return r;
}

/* The privilege drop as one visible sequence; the last step, exec, keeps only what is listed in the plan. */
static void child_drop_rights(const struct child_plan *plan, int pipe_fd)
{
	int r;

	child_limit(pipe_fd, RLIMIT_CORE, 0);
	child_limit(pipe_fd, RLIMIT_NOFILE, plan->entry->max_files);
	if (plan->change_uid)
		child_change_user(plan, pipe_fd);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		child_fail(pipe_fd, "giving up new privileges");
	if (!plan->entry->denied)
		return;
	r = deny_calls(plan->entry->denied);
	if (r < 0) {
		errno = -r;
		child_fail(pipe_fd, "denying system calls");
	}
}

struct environment {
	char *words[8]; /* the last one NULL */
	char listen_pid[WORD_MAX], runtime[WORD_MAX], state[WORD_MAX];
};

/* Of this very process. PulseAudio keeps two directories, makes them, and wants no other's there. */
static void child_environment(const struct spawn_entry *entry, struct environment *ret)
{
	static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", lang[] = "LANG=C.UTF-8", debug[] = "HOTDESK_DEBUG=1";
	static char listen_fds[] = "LISTEN_FDS=1", home[] = "HOME=/nonexistent";
	const char *verbose = getenv("HOTDESK_DEBUG");
	char **word = ret->words;

	*word++ = path;
	*word++ = lang;
	if (entry->activated) {
		snprintf(ret->listen_pid, sizeof(ret->listen_pid), "LISTEN_PID=%d", (int)getpid());
		*word++ = listen_fds;
		*word++ = ret->listen_pid;
	}
	if (entry->scratch) {
		snprintf(ret->runtime, sizeof(ret->runtime), "PULSE_RUNTIME_PATH=/tmp/hotdesk-%u", getuid());
		snprintf(ret->state, sizeof(ret->state), "PULSE_STATE_PATH=/tmp/hotdesk-%u", getuid());
		*word++ = home;
		*word++ = ret->runtime;
		*word++ = ret->state;
	} else if (verbose && strcmp(verbose, "1") == 0) {
		*word++ = debug;
	}
	*word = NULL;
}

static void __attribute__((noreturn)) child_main(const struct child_plan *plan, int go, int pipe_fd)
{
	struct environment environment;

	child_wait(go);
	child_signals();
	setsid();
	umask(0077);
	pipe_fd = child_place_fds(plan, pipe_fd);
	child_drop_rights(plan, pipe_fd);
	child_environment(plan->entry, &environment);
	execve(plan->path, plan->argv, environment.words);
	child_fail(pipe_fd, "executing it");
}

static void child_close(struct child *child)
{
	closep(&child->go);
	closep(&child->failure);
	child->go = child->failure = -1;
}

void child_abort(struct child *child)
{
	/* It reads the end of the pipe and exits. */
	child_close(child);
	closep(&child->pidfd);
	child->pidfd = -1;
	while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int child_pipes(int go[2], int failure[2])
{
	int r;

	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(failure, O_CLOEXEC) == 0)
		return 0;
	r = -errno;
	close(go[0]);
	close(go[1]);
	return r;
}

int child_fork(const struct child_plan *plan, struct child *ret, struct error *err)
{
	struct child child = {.pidfd = -1};
	int go[2] = {-1, -1}, failure[2] = {-1, -1};
	int r = child_pipes(go, failure);

	if (r < 0)
		return error_set_errno(err, r, "cannot make a pipe");
	child.pid = fork();
	r = child.pid < 0 ? -errno : 0;
	if (child.pid == 0) {
		close(go[1]);
		close(failure[0]);
		child_main(plan, go[0], failure[1]);
	}
	child.go = go[1];
	child.failure = failure[0];
	close(go[0]);
	close(failure[1]);
	if (r < 0) {
		child_close(&child);
		return error_set_errno(err, r, "cannot make a process");
	}
	/* The pid cannot be another's: nobody but this process reaps it. */
	child.pidfd = pidfd_open(child.pid, 0);
	if (child.pidfd < 0) {
		r = -errno;
		child_abort(&child);
		return error_set_errno(err, r, "cannot open the process");
	}
	*ret = child;
	return 0;
}

int child_go(struct child *child, const struct child_plan *plan, struct error *err)
{
	struct child_failure failure;
	int r = fd_write_all(child->go, "", 1);
	ssize_t n;

	do
		n = read(child->failure, &failure, sizeof(failure));
	while (n < 0 && errno == EINTR);
	if (r == 0 && n == 0) {
		child_close(child);
		return 0;
	}
	child_abort(child);
	if (r < 0 || n != (ssize_t)sizeof(failure))
		return error_set(err, -EIO, "%s ended before it started", plan->path);
	return error_set_errno(err, -failure.code, "%s: %.*s", plan->path, (int)sizeof(failure.step), failure.step);
}

bool child_can_unshare(void)
{
	int status = 1, every = 0;
	pid_t pid;

	for (size_t kind = 0; kind < SPAWN_KINDS; kind++)
		every |= spawn_table[kind].namespaces;
	pid = fork();
	if (pid == 0)
		_exit(unshare(every) < 0);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
