/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/pulse_link.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "display/pulse_loop.h"

#include <errno.h>
#include <pulse/error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define DELAY_MIN_USEC 50000
#define DELAY_MAX_USEC 2000000
#define ACCURACY_USEC 1000
#define COOKIE_SIZE 256 /* of PulseAudio's native protocol; the daemon asks nobody for it */

struct pulse_link {
	struct pulse_loop *loop;
	int socket_fd;
	char *name;
	const struct pulse_link_ops *ops;
	void *userdata;
	pa_context *context;
	bool up;
	sd_event_source *timer; /* what is next: to connect, or to leave a connection that has failed */
	uint64_t delay;
};

/* A memfd: libpulse waits for a lock of its cookie's file, which must not be another's to hold. */
static int make_cookie(char *path, size_t size)
{
	static const uint8_t cookie[COOKIE_SIZE];
	int fd = memfd_create("cookie", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(path, size, "/proc/self/fd/%d", fd);
	return write(fd, cookie, sizeof(cookie)) == sizeof(cookie) ? 0 : -EIO;
}

void pulse_link_prepare(void)
{
	char cookie[64];

	setenv("PULSE_CLIENTCONFIG", "/dev/null", 1);
	if (make_cookie(cookie, sizeof(cookie)) == 0)
		setenv("PULSE_COOKIE", cookie, 1);
}

static void arm(struct pulse_link *link, uint64_t usec)
{
	if (sd_event_source_set_time_relative(link->timer, usec) < 0 ||
	    sd_event_source_set_enabled(link->timer, SD_EVENT_ONESHOT) < 0)
		log_error("the connection to the sound daemon is given up");
}

static void drop_context(struct pulse_link *link)
{
	if (!link->context)
		return;
	pa_context_set_state_callback(link->context, NULL, NULL);
	pa_context_disconnect(link->context);
	pa_context_unref(link->context);
	link->context = NULL;
}

/* The loop ends a failed connection, not this callback: libpulse is in the middle of it. */
static void on_state(pa_context *context, void *userdata)
{
	struct pulse_link *link = userdata;
	pa_context_state_t state = pa_context_get_state(context);

	if (state == PA_CONTEXT_READY) {
		link->delay = DELAY_MIN_USEC;
		link->up = true;
		link->ops->up(context, link->userdata);
	} else if (!PA_CONTEXT_IS_GOOD(state)) {
		log_debug("the sound daemon: %s", pa_strerror(pa_context_errno(context)));
		arm(link, 0);
	}
}

static int connect_now(struct pulse_link *link)
{
	char server[64];

	/* The socket's own directory is closed to this program. */
	snprintf(server, sizeof(server), "unix:/proc/self/fd/%d", link->socket_fd);
	link->context = pa_context_new(pulse_loop_api(link->loop), link->name);
	if (!link->context)
		return -ENOMEM;
	pa_context_set_state_callback(link->context, on_state, link);
	return pa_context_connect(link->context, server, PA_CONTEXT_NOAUTOSPAWN, NULL) < 0 ? -ECONNREFUSED : 0;
}

static void put_off(struct pulse_link *link)
{
	arm(link, link->delay);
	link->delay = link->delay * 2 > DELAY_MAX_USEC ? DELAY_MAX_USEC : link->delay * 2;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct pulse_link *link = userdata;

	(void)source;
	(void)usec;
	if (link->context) {
		if (link->up)
			link->ops->down(link->userdata);
		link->up = false;
		drop_context(link);
		put_off(link);
	} else if (connect_now(link) < 0) {
		drop_context(link);
		put_off(link);
	}
	return 0;
}

int pulse_link_new(sd_event *event, int socket_fd, const char *name, const struct pulse_link_ops *ops, void *userdata,
		   struct pulse_link **ret)
{
	struct pulse_link *link = calloc(1, sizeof(*link));
	int r;

	if (!link) {
		close(socket_fd);
		return -ENOMEM;
	}
	link->socket_fd = socket_fd;
	link->name = strdup(name);
	link->ops = ops;
	link->userdata = userdata;
	link->delay = DELAY_MIN_USEC;
	r = link->name ? pulse_loop_new(event, &link->loop) : -ENOMEM;
	if (r >= 0)
		r = sd_event_add_time_relative(event, &link->timer, CLOCK_MONOTONIC, 0, ACCURACY_USEC, on_timer, link);
	if (r < 0) {
		pulse_link_free(link);
		return r;
	}
	*ret = link;
	return 0;
}

void pulse_link_free(struct pulse_link *link)
{
	if (!link)
		return;
	drop_context(link);
	sd_event_source_disable_unref(link->timer);
	pulse_loop_free(link->loop);
	closep(&link->socket_fd);
	free(link->name);
	free(link);
}
