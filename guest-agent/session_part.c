/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/session_part.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "guest-agent/clipboard.h"
#include "guest-agent/follow.h"
#include "guest-agent/root_socket.h"
#include "guest-agent/uevent.h"
#include "guest-agent/window_manager.h"
#include "guest-agent/x_text.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#define PART_RETRY_MS 1000
#define PART_APPLY_TRIES 5
#define PART_DESKTOP_TICKS 15 /* of PART_RETRY_MS: how long a session may have no window manager that says so */

struct session_part {
	struct loop *loop;
	const char *socket_path;
	xcb_connection_t *x;
	xcb_screen_t *screen;
	int root_fd, uevent_fd;
	struct watch *x_watch, *root_watch, *uevent_watch, *timer;
	struct clipboard *clipboard;
	xcb_atom_t manager; /* window_manager.h */
	bool up;            /* there is a desktop to be seen */
	int ticks;
};

static void part_look(struct session_part *part);

static void follow(struct session_part *part)
{
	int r = -EAGAIN;

	/* A drag sends many sizes: what changed while one was set is read anew, so the last one wins. */
	for (int i = 0; i < PART_APPLY_TRIES && r == -EAGAIN; i++)
		r = follow_apply(part->x, part->screen);
	if (r < 0 && r != -EIO)
		log_warning("the screen's new size could not be set: %s", strerror(-r));
}

/* Takes what libxcb has read; replies waited for in follow() may have brought events with them. */
static void on_x(uint32_t events, void *userdata)
{
	struct session_part *part = userdata;
	bool changed, managed;

	(void)events;
	do {
		xcb_generic_event_t *event;

		changed = managed = false;
		while ((event = xcb_poll_for_event(part->x))) {
			changed = changed || follow_is_event(part->x, event);
			managed = managed || window_manager_is_event(event, part->manager);
			free(event);
		}
		if (changed)
			follow(part);
		if (managed)
			part_look(part);
	} while (changed || managed);
	if (xcb_connection_has_error(part->x))
		loop_stop(part->loop);
}

static void on_uevent(uint32_t events, void *userdata)
{
	struct session_part *part = userdata;
	int r = uevent_drain(part->uevent_fd);

	(void)events;
	if (r < 0) {
		watch_free(part->uevent_watch);
		part->uevent_watch = NULL;
	}
	if (r <= 0)
		return;
	follow(part);
	on_x(0, part);
}

static void root_close(struct session_part *part)
{
	watch_free(part->root_watch);
	part->root_watch = NULL;
	closep(&part->root_fd);
	part->root_fd = -1;
}

/* The root part says nothing yet; the end of the connection means that it restarts. */
static void on_root(uint32_t events, void *userdata)
{
	struct session_part *part = userdata;
	char buffer[1024];
	ssize_t n = read(part->root_fd, buffer, sizeof(buffer));

	(void)events;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		root_close(part);
}

static int root_report(struct session_part *part)
{
	int r;

	part->root_fd = root_connect(part->socket_path);
	if (part->root_fd < 0)
		return part->root_fd;
	r = root_say(part->root_fd, "session");
	if (r == 0)
		r = loop_watch(part->loop, part->root_fd, EPOLLIN, on_root, part, &part->root_watch);
	if (r < 0)
		root_close(part);
	return r;
}

/* Reports the session once its desktop is to be seen: before that there is an empty screen. */
static void part_look(struct session_part *part)
{
	part->up = part->up || part->ticks >= PART_DESKTOP_TICKS ||
		   window_manager_is_there(part->x, part->screen, part->manager);
	if (part->up && part->root_fd < 0)
		root_report(part);
}

static void on_timer(uint32_t events, void *userdata)
{
	struct session_part *part = userdata;

	(void)events;
	if (part->ticks < PART_DESKTOP_TICKS)
		part->ticks++;
	part_look(part);
	on_x(0, part); /* events that came with the replies */
}

static int part_connect_x(struct session_part *part)
{
	int r = x_connect(&part->x, &part->screen);

	if (r == 0)
		r = window_manager_start(part->x, part->screen, &part->manager);
	if (r < 0)
		return r;
	r = follow_start(part->x, part->screen);
	if (r == -ENOTSUP)
		log_warning("the X server has no RandR 1.3: the desktop keeps its size");
	else if (r == 0)
		follow(part);
	return r == -ENOTSUP ? 0 : r;
}

/* A desktop without is better than none. */
static void part_share_clipboard(struct session_part *part)
{
	int r = clipboard_new(part->loop, part->socket_path, &part->clipboard);

	if (r < 0)
		log_warning("the clipboard cannot be shared: %s",
			    r == -ENOTSUP ? "the X server has no XFIXES" : strerror(-r));
}

static int part_start(struct session_part *part)
{
	int r = part_connect_x(part);

	if (r == 0)
		r = loop_watch(part->loop, xcb_get_file_descriptor(part->x), EPOLLIN, on_x, part, &part->x_watch);
	part->uevent_fd = uevent_open();
	if (r == 0 && part->uevent_fd >= 0)
		r = loop_watch(part->loop, part->uevent_fd, EPOLLIN, on_uevent, part, &part->uevent_watch);
	if (r == 0)
		r = loop_every(part->loop, PART_RETRY_MS, on_timer, part, &part->timer);
	return r;
}

int session_part_new(struct loop *loop, const char *socket_path, struct session_part **ret)
{
	struct session_part *part = calloc(1, sizeof(*part));
	int r;

	if (!part)
		return -ENOMEM;
	*part = (struct session_part){.loop = loop, .socket_path = socket_path, .root_fd = -1, .uevent_fd = -1};
	r = part_start(part);
	if (r < 0) {
		session_part_free(part);
		return r;
	}
	part_share_clipboard(part);
	part_look(part);
	/* Events that came with the replies so far. */
	on_x(0, part);
	*ret = part;
	return 0;
}

void session_part_free(struct session_part *part)
{
	if (!part)
		return;
	clipboard_free(part->clipboard);
	root_close(part);
	watch_free(part->timer);
	watch_free(part->uevent_watch);
	watch_free(part->x_watch);
	closep(&part->uevent_fd);
	if (part->x)
		xcb_disconnect(part->x);
	free(part);
}

void session_part_freep(struct session_part **part)
{
	session_part_free(*part);
}
