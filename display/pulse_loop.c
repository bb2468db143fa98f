/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/pulse_loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>

#define ACCURACY_USEC 1000

struct pulse_loop {
	sd_event *event;
	pa_mainloop_api api;
};

/*
 * libpulse leaves the three kinds of events to the loop, and aborts the program where it gets none. source is NULL
 * where sd-event makes no more, as after its end, when a program still leaves its connections: such an event never
 * happens.
 */
struct pa_io_event {
	struct pulse_loop *loop;
	sd_event_source *source;
	int fd;
	pa_io_event_cb_t call;
	pa_io_event_destroy_cb_t destroyed;
	void *userdata;
};

struct pa_time_event {
	struct pulse_loop *loop;
	sd_event_source *source;
	struct timeval when;
	pa_time_event_cb_t call;
	pa_time_event_destroy_cb_t destroyed;
	void *userdata;
};

struct pa_defer_event {
	struct pulse_loop *loop;
	sd_event_source *source;
	pa_defer_event_cb_t call;
	pa_defer_event_destroy_cb_t destroyed;
	void *userdata;
};

/* -- io -------------------------------------------------------------------------------------------------------------*/

static uint32_t epoll_of(pa_io_event_flags_t flags)
{
	return ((flags & PA_IO_EVENT_INPUT) ? EPOLLIN : 0u) | ((flags & PA_IO_EVENT_OUTPUT) ? EPOLLOUT : 0u);
}

static pa_io_event_flags_t flags_of(uint32_t events)
{
	unsigned flags =
	    ((events & EPOLLIN) ? PA_IO_EVENT_INPUT : 0u) | ((events & EPOLLOUT) ? PA_IO_EVENT_OUTPUT : 0u) |
	    ((events & EPOLLHUP) ? PA_IO_EVENT_HANGUP : 0u) | ((events & EPOLLERR) ? PA_IO_EVENT_ERROR : 0u);

	return (pa_io_event_flags_t)flags;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct pa_io_event *io = userdata;

	(void)source;
	io->call(&io->loop->api, io, fd, flags_of(events), io->userdata);
	return 0;
}

/* Watched for nothing it is off: epoll tells of a hangup in any case. */
static void io_enable(pa_io_event *io, pa_io_event_flags_t flags)
{
	if (!io->source)
		return;
	(void)sd_event_source_set_io_events(io->source, epoll_of(flags));
	(void)sd_event_source_set_enabled(io->source, epoll_of(flags) ? SD_EVENT_ON : SD_EVENT_OFF);
}

static pa_io_event *io_new(pa_mainloop_api *api, int fd, pa_io_event_flags_t flags, pa_io_event_cb_t call,
			   void *userdata)
{
	struct pa_io_event *io = calloc(1, sizeof(*io));

	if (!io)
		return NULL;
	*io = (struct pa_io_event){.loop = api->userdata, .fd = fd, .call = call, .userdata = userdata};
	(void)sd_event_add_io(io->loop->event, &io->source, fd, epoll_of(flags), on_io, io);
	io_enable(io, flags);
	return io;
}

static void io_free(pa_io_event *io)
{
	sd_event_source_disable_unref(io->source);
	if (io->destroyed)
		io->destroyed(&io->loop->api, io, io->userdata);
	free(io);
}

static void io_set_destroy(pa_io_event *io, pa_io_event_destroy_cb_t destroyed)
{
	io->destroyed = destroyed;
}

/* -- time -----------------------------------------------------------------------------------------------------------*/

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pa_time_event *timer = userdata;

	(void)source;
	(void)usec;
	timer->call(&timer->loop->api, timer, &timer->when, timer->userdata);
	return 0;
}

/* Times of day are what libpulse gives to a loop that is not its own; here they pass by the monotonic clock. */
static uint64_t usec_until(const struct timeval *when)
{
	struct timeval now, left;

	gettimeofday(&now, NULL);
	if (!timercmp(when, &now, >))
		return 0;
	timersub(when, &now, &left);
	return (uint64_t)left.tv_sec * 1000000 + (uint64_t)left.tv_usec;
}

static void time_restart(pa_time_event *timer, const struct timeval *when)
{
	if (!timer->source)
		return;
	if (!when) {
		(void)sd_event_source_set_enabled(timer->source, SD_EVENT_OFF);
		return;
	}
	timer->when = *when;
	(void)sd_event_source_set_time_relative(timer->source, usec_until(when));
	(void)sd_event_source_set_enabled(timer->source, SD_EVENT_ONESHOT);
}

static pa_time_event *time_new(pa_mainloop_api *api, const struct timeval *when, pa_time_event_cb_t call,
			       void *userdata)
{
	struct pa_time_event *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return NULL;
	*timer = (struct pa_time_event){.loop = api->userdata, .call = call, .userdata = userdata};
	(void)sd_event_add_time_relative(timer->loop->event, &timer->source, CLOCK_MONOTONIC, 0, ACCURACY_USEC, on_time,
					 timer);
	time_restart(timer, when);
	return timer;
}

static void time_free(pa_time_event *timer)
{
	sd_event_source_disable_unref(timer->source);
	if (timer->destroyed)
		timer->destroyed(&timer->loop->api, timer, timer->userdata);
	free(timer);
}

static void time_set_destroy(pa_time_event *timer, pa_time_event_destroy_cb_t destroyed)
{
	timer->destroyed = destroyed;
}

/* -- what is put off ------------------------------------------------------------------------------------------------*/

static int on_defer(sd_event_source *source, void *userdata)
{
	struct pa_defer_event *defer = userdata;

	(void)source;
	defer->call(&defer->loop->api, defer, defer->userdata);
	return 0;
}

static void defer_enable(pa_defer_event *defer, int on)
{
	if (defer->source)
		(void)sd_event_source_set_enabled(defer->source, on ? SD_EVENT_ON : SD_EVENT_OFF);
}

static pa_defer_event *defer_new(pa_mainloop_api *api, pa_defer_event_cb_t call, void *userdata)
{
	struct pa_defer_event *defer = calloc(1, sizeof(*defer));

	if (!defer)
		return NULL;
	*defer = (struct pa_defer_event){.loop = api->userdata, .call = call, .userdata = userdata};
	(void)sd_event_add_defer(defer->loop->event, &defer->source, on_defer, defer);
	defer_enable(defer, 1);
	return defer;
}

static void defer_free(pa_defer_event *defer)
{
	sd_event_source_disable_unref(defer->source);
	if (defer->destroyed)
		defer->destroyed(&defer->loop->api, defer, defer->userdata);
	free(defer);
}

static void defer_set_destroy(pa_defer_event *defer, pa_defer_event_destroy_cb_t destroyed)
{
	defer->destroyed = destroyed;
}

/* -- the loop -------------------------------------------------------------------------------------------------------*/

/* Nothing in a client calls it. */
static void loop_quit(pa_mainloop_api *api, int code)
{
	const struct pulse_loop *loop = api->userdata;

	sd_event_exit(loop->event, code);
}

static const pa_mainloop_api loop_api = {
    .io_new = io_new,
    .io_enable = io_enable,
    .io_free = io_free,
    .io_set_destroy = io_set_destroy,
    .time_new = time_new,
    .time_restart = time_restart,
    .time_free = time_free,
    .time_set_destroy = time_set_destroy,
    .defer_new = defer_new,
    .defer_enable = defer_enable,
    .defer_free = defer_free,
    .defer_set_destroy = defer_set_destroy,
    .quit = loop_quit,
};

int pulse_loop_new(sd_event *event, struct pulse_loop **ret)
{
	struct pulse_loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->event = sd_event_ref(event);
	loop->api = loop_api;
	loop->api.userdata = loop;
	*ret = loop;
	return 0;
}

void pulse_loop_free(struct pulse_loop *loop)
{
	if (!loop)
		return;
	sd_event_unref(loop->event);
	free(loop);
}

pa_mainloop_api *pulse_loop_api(struct pulse_loop *loop)
{
	return &loop->api;
}
