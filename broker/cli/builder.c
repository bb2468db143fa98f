/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/builder.h"

#include "broker/cli/progress.h"
#include "broker/cli/signals.h"
#include "common/cleanup.h"
#include "common/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

struct builder {
	pid_t pid;
	int progress, signals;
	bool interrupted;
	char line[BUILDER_TEXT_SIZE + 32];
	size_t used;
	struct error said; /* the first error that it said */
};

static void take_line(struct builder *builder)
{
	struct builder_line line;
	char text[BUILDER_TEXT_SIZE + 32];

	if (builder_line_parse(builder->line, &line) < 0)
		return;
	switch (line.kind) {
	case BUILDER_AT:
		progress_show(line.number, line.text);
		break;
	case BUILDER_STEP:
		snprintf(text, sizeof(text), "%s: %u s", line.text, line.number);
		progress_line(text);
		break;
	case BUILDER_ERROR:
		if (builder->said.code == 0)
			error_set(&builder->said, -EIO, "%s", line.text);
		break;
	}
}

static void take_bytes(struct builder *builder, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n') {
			builder->line[builder->used] = '\0';
			builder->used = 0;
			take_line(builder);
		} else if (builder->used + 1 < sizeof(builder->line)) {
			builder->line[builder->used++] = bytes[i];
		}
	}
}

/* Its own group, so that one signal reaches all of it; no terminal to read from. Never returns. */
static void become_builder(char **argv, int progress, const sigset_t *signals)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || fd_set_cloexec(progress, 0) < 0)
		_exit(127);
	sigprocmask(SIG_UNBLOCK, signals, NULL);
	execv(argv[0], argv);
	_exit(127);
}

static int start(struct builder *builder, char **argv, struct error *err)
{
	int ends[2];
	char number[16];
	size_t n = 0;
	sigset_t signals;

	signals_block(&signals);
	builder->signals = signalfd(-1, &signals, SFD_CLOEXEC);
	if (builder->signals < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return error_set_errno(err, -errno, "cannot start %s", argv[0]);
	builder->progress = ends[0];
	while (argv[n])
		n++;
	snprintf(number, sizeof(number), "%d", ends[1]);
	argv[n] = "--progress-fd";
	argv[n + 1] = number;
	argv[n + 2] = NULL;
	builder->pid = fork();
	if (builder->pid == 0)
		become_builder(argv, ends[1], &signals);
	argv[n] = NULL;
	close(ends[1]);
	if (builder->pid < 0)
		return error_set_errno(err, -errno, "cannot start %s", argv[0]);
	/* Here as well, as the child may not have come to it when a signal is passed on. */
	setpgid(builder->pid, builder->pid);
	return 0;
}

static void pass_on(struct builder *builder)
{
	struct signalfd_siginfo info;

	if (read(builder->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	builder->interrupted = true;
	progress_line("stopping");
	kill(-builder->pid, SIGTERM);
}

/* Until it has closed its end, which it does by ending. */
static void watch(struct builder *builder)
{
	struct pollfd polled[] = {{.fd = builder->progress, .events = POLLIN},
				  {.fd = builder->signals, .events = POLLIN}};
	char bytes[4096];

	for (;;) {
		ssize_t n;

		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			break;
		if (polled[1].revents)
			pass_on(builder);
		if (!polled[0].revents)
			continue;
		n = read(builder->progress, bytes, sizeof(bytes));
		if (n <= 0)
			break;
		take_bytes(builder, bytes, (size_t)n);
	}
	progress_end();
}

static int wait_for(struct builder *builder, struct error *err)
{
	int status = 0;

	while (waitpid(builder->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (builder->interrupted)
		return error_set(err, -EINTR, "stopped; nothing of the image is left");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (builder->said.code < 0)
		return error_set(err, -EIO, "%s", builder->said.text);
	return error_set(err, -EIO, "build-image ended by itself");
}

int builder_run(char **argv, struct error *err)
{
	struct builder builder = {.pid = -1, .progress = -1, .signals = -1};
	int r = start(&builder, argv, err);

	if (r == 0) {
		watch(&builder);
		r = wait_for(&builder, err);
	}
	closep(&builder.progress);
	closep(&builder.signals);
	return r;
}
