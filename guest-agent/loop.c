/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/loop.h"

#include "common/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

struct loop {
	int epoll_fd, signal_fd;
	bool stopped;
	struct watch *signals;
};

struct watch {
	struct loop *loop;
	int fd;
	int own_fd; /* a timer's, else -1 */
	loop_fn fn;
	void *userdata;
};

static void on_signal(uint32_t events, void *userdata)
{
	(void)events;
	loop_stop(userdata);
}

static int loop_watch_signals(struct loop *loop)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	loop->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop->signal_fd < 0)
		return -errno;
	return loop_watch(loop, loop->signal_fd, EPOLLIN, on_signal, loop, &loop->signals);
}

static int loop_open(struct loop *loop)
{
	loop->signal_fd = -1;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	return loop_watch_signals(loop);
}

int loop_new(struct loop **ret)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	r = loop_open(loop);
	if (r < 0) {
		loop_free(loop);
		return r;
	}
	*ret = loop;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	watch_free(loop->signals);
	closep(&loop->signal_fd);
	closep(&loop->epoll_fd);
	free(loop);
}

void loop_freep(struct loop **loop)
{
	loop_free(*loop);
}

/* NULL: errno says why. */
static struct watch *watch_new(struct loop *loop, int fd, uint32_t events, loop_fn fn, void *userdata)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	struct epoll_event event = {.events = events, .data.ptr = watch};

	if (!watch)
		return NULL;
	*watch = (struct watch){.loop = loop, .fd = fd, .own_fd = -1, .fn = fn, .userdata = userdata};
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		free(watch);
		return NULL;
	}
	return watch;
}

int loop_watch(struct loop *loop, int fd, uint32_t events, loop_fn fn, void *userdata, struct watch **ret)
{
	struct watch *watch = watch_new(loop, fd, events, fn, userdata);

	if (!watch)
		return -errno;
	*ret = watch;
	return 0;
}

int watch_set(struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	return epoll_ctl(watch->loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) < 0 ? -errno : 0;
}

int loop_every(struct loop *loop, unsigned ms, loop_fn fn, void *userdata, struct watch **ret)
{
	struct timespec each = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	struct itimerspec timer = {.it_interval = each, .it_value = each};
	_cleanup_close_ int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct watch *watch;

	if (fd < 0 || timerfd_settime(fd, 0, &timer, NULL) < 0)
		return -errno;
	watch = watch_new(loop, fd, EPOLLIN, fn, userdata);
	if (!watch)
		return -errno;
	watch->own_fd = steal_fd(&fd);
	*ret = watch;
	return 0;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	epoll_ctl(watch->loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	closep(&watch->own_fd);
	free(watch);
}

static void watch_dispatch(struct watch *watch, uint32_t events)
{
	uint64_t ticks;

	if (watch->own_fd >= 0 && read(watch->own_fd, &ticks, sizeof(ticks)) < 0)
		return;
	watch->fn(events, watch->userdata);
}

int loop_run(struct loop *loop)
{
	/* One event at a time: a callback may free any watch, and no stale one can be in a batch then. */
	while (!loop->stopped) {
		struct epoll_event event;
		int n = epoll_wait(loop->epoll_fd, &event, 1, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			watch_dispatch(event.data.ptr, event.events);
	}
	loop->stopped = false;
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}
