/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/job.h"

#include "common/cleanup.h"
#include "guest-agent/codec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct job {
	pid_t pid;
	int pidfd, output_fd;
	struct watch *end, *output, *timer;
	unsigned seconds; /* how long it may take, for the message */
	bool late;
	char line[CODEC_TEXT_MAX]; /* the last one that it wrote */
	size_t used;
	bool fresh; /* the next byte begins a new line */
	job_fn done;
	void *userdata;
};

static void job_release(struct job *job)
{
	watch_free(job->end);
	watch_free(job->output);
	watch_free(job->timer);
	closep(&job->pidfd);
	closep(&job->output_fd);
	free(job);
}

void job_free(struct job *job)
{
	if (!job)
		return;
	kill(-job->pid, SIGKILL);
	waitpid(job->pid, NULL, 0);
	job_release(job);
}

static void job_take(struct job *job, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n') {
			job->fresh = true;
			continue;
		}
		if (job->fresh)
			job->used = 0;
		job->fresh = false;
		if (job->used + 1 < sizeof(job->line))
			job->line[job->used++] = data[i];
	}
	job->line[job->used] = '\0';
}

static void on_output(uint32_t events, void *userdata)
{
	struct job *job = userdata;
	char data[1024];
	ssize_t n;

	(void)events;
	while ((n = read(job->output_fd, data, sizeof(data))) > 0)
		job_take(job, data, (size_t)n);
	if (n == 0 || errno != EAGAIN) {
		watch_free(job->output);
		job->output = NULL;
	}
}

static bool job_is_good(struct job *job, int status)
{
	if (job->late)
		snprintf(job->line, sizeof(job->line), "it was not done after %u seconds", job->seconds);
	else if (WIFSIGNALED(status))
		snprintf(job->line, sizeof(job->line), "it was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0 && job->line[0] == '\0')
		snprintf(job->line, sizeof(job->line), "exit code %d", WEXITSTATUS(status));
	return !job->late && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void on_end(uint32_t events, void *userdata)
{
	struct job *job = userdata;
	char line[CODEC_TEXT_MAX];
	job_fn done = job->done;
	void *owner = job->userdata;
	int status = 0;
	bool good;

	(void)events;
	if (waitpid(job->pid, &status, WNOHANG) == 0)
		return;
	if (job->output)
		on_output(0, job);
	good = job_is_good(job, status);
	memcpy(line, job->line, sizeof(line));
	job_release(job);
	done(good, line, owner);
}

static void on_late(uint32_t events, void *userdata)
{
	struct job *job = userdata;

	(void)events;
	job->late = true;
	kill(-job->pid, SIGKILL);
}

static int job_spawn(struct job *job, const char *const *argv, int output)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int r;

	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	r = posix_spawnp(&job->pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -r;
}

static int job_watch(struct loop *loop, struct job *job)
{
	int r;

	job->pidfd = (int)syscall(SYS_pidfd_open, job->pid, 0); /* as glibc 2.35 has no wrapper */
	if (job->pidfd < 0)
		return -errno;
	r = loop_watch(loop, job->pidfd, EPOLLIN, on_end, job, &job->end);
	if (r == 0)
		r = loop_watch(loop, job->output_fd, EPOLLIN, on_output, job, &job->output);
	if (r == 0 && job->seconds > 0)
		r = loop_every(loop, job->seconds * 1000, on_late, job, &job->timer);
	return r;
}

int job_run(struct loop *loop, const char *const *argv, unsigned seconds, job_fn done, void *userdata, struct job **ret)
{
	struct job *job = calloc(1, sizeof(*job));
	_cleanup_close_ int theirs = -1;
	int ends[2], r;

	if (!job)
		return -ENOMEM;
	*job = (struct job){.pidfd = -1, .output_fd = -1, .seconds = seconds, .done = done, .userdata = userdata};
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		r = -errno;
		job_release(job);
		return r;
	}
	job->output_fd = ends[0];
	theirs = ends[1];
	r = job_spawn(job, argv, theirs);
	if (r < 0) {
		job_release(job);
		return r;
	}
	r = job_watch(loop, job);
	if (r < 0) {
		job_free(job);
		return r;
	}
	*ret = job;
	return 0;
}
