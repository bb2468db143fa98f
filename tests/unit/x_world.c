/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "tests/unit/x_world.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS 5
#define STEPS_MAX 12000

uint64_t x_world_skipped;

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	int r = __real_clock_gettime(clock, ret);

	if (clock == CLOCK_MONOTONIC)
		ret->tv_sec += (time_t)x_world_skipped;
	return r;
}

/* The child has no signal blocked as the loop's program has. */
static pid_t start(const char *const *argv, int in, int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid = fork();
	sigset_t none;

	assert_true(pid >= 0);
	if (pid > 0) {
		close(null);
		return pid;
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (in >= 0)
		dup2(in, STDIN_FILENO);
	if (out >= 0)
		dup2(out, STDOUT_FILENO);
	if (null >= 0)
		dup2(null, STDERR_FILENO); /* what they say of their own */
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

static pid_t start_server(void)
{
	char number[16] = "", argument[16], display[24];
	int ends[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	ssize_t n = 0;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	snprintf(argument, sizeof(argument), "%d", ends[1]);
	pid = start((const char *const[]){"Xvfb", "-displayfd", argument, "-screen", "0", "640x480x24", "-noreset",
					  "-nolisten", "tcp", NULL},
		    null, null);
	close(ends[1]);
	for (ssize_t got; !memchr(number, '\n', (size_t)n) && (got = read(ends[0], number + n, 15 - (size_t)n)) > 0;)
		n += got;
	close(ends[0]);
	close(null);
	assert_true(n > 1); /* Xvfb is there */
	snprintf(display, sizeof(display), ":%.*s", (int)n - 1, number);
	setenv("DISPLAY", display, 1);
	return pid;
}

void x_world_new(struct x_world *world)
{
	*world = (struct x_world){0};
	x_world_skipped = 0;
	snprintf(world->directory, sizeof(world->directory), "/tmp/x-world-XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	assert_int_equal(loop_new(&world->loop), 0);
}

void x_world_start(struct x_world *world)
{
	world->server = start_server();
}

void x_world_clear(struct x_world *world)
{
	loop_free(world->loop);
	if (world->server)
		x_world_end(world->server);
	fs_remove_tree(world->directory);
}

void x_world_end(pid_t pid)
{
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

static void on_step(uint32_t events, void *userdata)
{
	struct x_world *world = userdata;

	(void)events;
	world->found = world->is_so(world->userdata);
	if (!world->found && ++world->steps < STEPS_MAX)
		return;
	watch_free(steal_ptr(world->step));
	loop_stop(world->loop);
}

void x_world_run(struct x_world *world, const char *what, bool (*is_so)(void *userdata), void *userdata)
{
	world->is_so = is_so;
	world->userdata = userdata;
	world->steps = 0;
	assert_int_equal(loop_every(world->loop, STEP_MS, on_step, world, &world->step), 0);
	assert_int_equal(loop_run(world->loop), 0);
	if (!world->found)
		fail_msg("%s did not come", what);
}

pid_t x_world_copy(struct x_world *world, const char *selection, const char *text, size_t size)
{
	char path[96];
	pid_t pid;
	int fd;

	snprintf(path, sizeof(path), "%s/copy", world->directory);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, size), 0);
	lseek(fd, 0, SEEK_SET);
	pid = start((const char *const[]){"xclip", "-quiet", "-i", "-selection", selection, NULL}, fd, -1);
	close(fd);
	return pid;
}

void x_world_paste(struct x_world *world, const char *selection, const char *target, struct x_world_paste *ret)
{
	static unsigned n;
	int fd;

	*ret = (struct x_world_paste){0};
	snprintf(ret->path, sizeof(ret->path), "%s/paste-%u", world->directory, n++);
	fd = open(ret->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ret->pid = start((const char *const[]){"xclip", "-o", "-selection", selection, "-t", target, NULL}, -1, fd);
	close(fd);
}

bool x_world_pasted(void *userdata)
{
	struct x_world_paste *paste = userdata;

	if (paste->pid == 0)
		return true;
	if (waitpid(paste->pid, &paste->status, WNOHANG) != paste->pid)
		return false;
	paste->pid = 0;
	if (paste->status == 0)
		assert_int_equal(fs_read_file(paste->path, (size_t)64 << 20, &paste->text, &paste->size), 0);
	return true;
}

char *x_world_long_text(size_t size)
{
	static const char unit[] = "ae\xc3\xa9" X_WORLD_TEXT "\n"; /* 18 bytes: 1, 2, 3 and 4 of a character */
	char *text = malloc(size + 1);
	size_t at = 0;

	assert_non_null(text);
	for (; at + sizeof(unit) - 1 <= size; at += sizeof(unit) - 1)
		memcpy(text + at, unit, sizeof(unit) - 1);
	memset(text + at, 'x', size - at);
	text[size] = '\0';
	return text;
}
