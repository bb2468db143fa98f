/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/viewer.h"

#include "broker/child.h"
#include "broker/guest.h"
#include "broker/lifecycle.h"
#include "broker/sound.h"
#include "broker/watch.h"
#include "common/bus.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "display/viewer/viewer_api.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VIEWER_MAX_SIZE "5120x2880"
#define VIEWER_DEFAULT_WIDTH 1280
#define VIEWER_DEFAULT_HEIGHT 800
#define LAST_WORD_MSEC 4000u
#define LAST_WORD_USEC (8 * UINT64_C(1000000)) /* then it is ended */
#define ATTACH_USEC UINT64_C(100000)

struct viewer {
	struct viewer *next;
	struct broker *broker;
	struct desktop *desktop; /* NULL: its desktop is no more, it is being ended */
	struct viewer_row row;
	struct child *child;
	sd_event_source *timer;
	int stream_fd; /* the gate's end, until ready */
	viewer_ready_fn ready;
	void *userdata;
	struct status shown;
	bool attached, closing;
	bool sound_told, sound_allowed; /* it was told, or may have been; what */
	bool listens;                   /* its viewer has switched sound on */
};

struct viewers {
	struct broker *broker;
	struct viewer *first;
};

static void viewer_free(struct viewer *viewer)
{
	child_free(viewer->child);
	sd_event_source_disable_unref(viewer->timer);
	closep(&viewer->stream_fd);
	free(viewer);
}

static void unlink_viewer(struct viewer *viewer)
{
	struct viewer **at = &viewer->broker->viewers->first;

	while (*at && *at != viewer)
		at = &(*at)->next;
	if (*at)
		*at = viewer->next;
}

static void answer_login(struct viewer *viewer, int r, const struct error *err)
{
	viewer_ready_fn ready = viewer->ready;

	viewer->ready = NULL;
	if (ready)
		ready(r, r < 0 ? -1 : steal_fd(&viewer->stream_fd), err, viewer->userdata);
}

static void leave_desktop(struct viewer *viewer)
{
	struct desktop *desktop = viewer->desktop;

	if (!desktop)
		return;
	desktop->n_viewers--;
	sound_update(desktop);
	watch_viewer_left(desktop);
	if (desktop->session.id == viewer->row.session && desktop->session.id != 0) {
		if (desktop->n_viewers == 0)
			desktop_set_session_state(desktop, SESSION_DISCONNECTED);
		broker_event(viewer->broker, "disconnect", desktop->session.user, desktop->row.id, desktop->row.pool,
			     "the viewer from %s left", viewer->row.peer);
	}
	lifecycle_viewer_gone(desktop);
}

static void display_ended(const struct error *err, void *userdata)
{
	struct viewer *viewer = userdata;
	struct error reason = *err;
	int r;

	if (reason.code == 0)
		error_set(&reason, -EPIPE, "The program that shows your desktop ended at its start. Please try again.");
	else if (viewer->ready)
		log_error("hotdesk-display of slot %u: %s", viewer->row.slot, reason.text);
	r = store_viewer_delete(viewer->broker->store, viewer->row.slot);
	if (r < 0 && r != -ENOENT)
		log_error("viewer %u cannot be deleted from the store: %s", viewer->row.slot, strerror(-r));
	unlink_viewer(viewer);
	answer_login(viewer, reason.code, &reason);
	leave_desktop(viewer);
	viewer_free(viewer);
}

static void call_viewer(struct viewer *viewer, sd_bus_message_handler_t done, const char *method, const char *types,
			...)
{
	va_list args;
	int r;

	va_start(args, types);
	r = child_callv(viewer->child, done, viewer, method, types, args);
	va_end(args);
	if (r < 0 && r != -ENOTCONN)
		log_error("hotdesk-display of slot %u cannot be told %s: %s", viewer->row.slot, method, strerror(-r));
}

/* Logs what a call without a result had to say. */
static int call_done(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct viewer *viewer = userdata;
	struct error err = {0};

	(void)ret_error;
	if (sd_bus_message_is_method_error(reply, NULL)) {
		bus_reply_error(reply, &err);
		log_warning("hotdesk-display of slot %u: %s", viewer->row.slot, err.text);
	}
	return 0;
}

static void show_status(struct viewer *viewer)
{
	struct status status;

	if (!viewer->desktop || viewer->attached || viewer->closing || !child_bus(viewer->child))
		return;
	memset(&status, 0, sizeof(status));
	lifecycle_status(viewer->desktop, &status);
	if (strcmp(status.title, viewer->shown.title) == 0 && strcmp(status.detail, viewer->shown.detail) == 0 &&
	    status.percent == viewer->shown.percent && status.failed == viewer->shown.failed)
		return;
	viewer->shown = status;
	call_viewer(viewer, call_done, "SetStatus", "ssib", status.title, status.detail, status.percent,
		    (int)status.failed);
}

/* anew: also where it is not news that sound is allowed, or not. */
static void give_sound(struct viewer *viewer, bool anew)
{
	_cleanup_close_ int fd = -1;
	bool allowed;

	if (!viewer->desktop || viewer->closing || !child_bus(viewer->child))
		return;
	allowed = sound_is_allowed(viewer->desktop);
	/* It offers none until it is told. */
	if (viewer->sound_told ? !anew && viewer->sound_allowed == allowed : !allowed)
		return;
	fd = sound_socket(viewer->desktop);
	if (fd < 0) {
		if (fd != -EAGAIN)
			log_error("no sound for the viewer of slot %u: %s", viewer->row.slot, strerror(-fd));
		return;
	}
	call_viewer(viewer, call_done, "SetSound", "bh", (int)allowed, fd);
	viewer->sound_told = true;
	viewer->sound_allowed = allowed;
}

static int on_sound(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct viewer *viewer = userdata;
	int wanted;

	(void)ret_error;
	if (!viewer->desktop || sd_bus_message_read(message, "b", &wanted) < 0)
		return 0;
	viewer->listens = wanted;
	sound_update(viewer->desktop);
	return 0;
}

static int attach_again(sd_event_source *source, uint64_t usec, void *userdata);

static void attach_later(struct viewer *viewer)
{
	viewer->attached = false;
	if (!viewer->closing)
		broker_timer(viewer->broker, &viewer->timer, ATTACH_USEC, attach_again, viewer);
}

static int source_taken(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct viewer *viewer = userdata;

	if (sd_bus_message_is_method_error(reply, NULL)) {
		call_done(reply, viewer, ret_error);
		attach_later(viewer);
	}
	return 0;
}

/* One end to the screen, the other to the display: what the one says too early waits in the socket. */
static void attach(struct viewer *viewer)
{
	int fds[2];
	int r;

	if (!viewer->desktop || viewer->attached || viewer->closing || !child_bus(viewer->child) ||
	    !watch_has_source(viewer->desktop->watch) || !guest_is_open(viewer->desktop))
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) {
		log_error("no socket for a viewer's picture: %s", strerror(errno));
		attach_later(viewer);
		return;
	}
	r = watch_add_display(viewer->desktop->watch, fds[0]);
	if (r >= 0) {
		viewer->attached = true;
		viewer->shown = (struct status){0};
		call_viewer(viewer, source_taken, "SetSource", "h", fds[1]);
	} else {
		attach_later(viewer);
	}
	close(fds[0]);
	close(fds[1]);
}

static int attach_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	attach(userdata);
	return 0;
}

static int on_source_lost(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct viewer *viewer = userdata;

	(void)message;
	(void)ret_error;
	if (!viewer->attached)
		return 0;
	attach_later(viewer);
	return 0;
}

static int on_wanted(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct viewer *viewer = userdata;
	uint32_t width, height;

	(void)ret_error;
	if (viewer->desktop && sd_bus_message_read(message, "uu", &width, &height) >= 0)
		desktop_set_size(viewer->desktop, width, height);
	return 0;
}

static int display_setup(sd_bus *bus, void *userdata)
{
	int r = sd_bus_match_signal(bus, NULL, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, "SourceLost",
				    on_source_lost, userdata);

	if (r >= 0)
		r = sd_bus_match_signal(bus, NULL, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, "Wanted", on_wanted,
					userdata);
	if (r >= 0)
		r = sd_bus_match_signal(bus, NULL, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, "Sound", on_sound,
					userdata);
	return r;
}

static int status_told(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct viewer *viewer = userdata;
	uint32_t width, height;
	int source = 0;

	if (sd_bus_message_is_method_error(reply, NULL))
		return call_done(reply, viewer, ret_error);
	if (sd_bus_message_read(reply, "buu", &source, &width, &height) >= 0)
		viewer->attached = source;
	attach(viewer);
	show_status(viewer);
	return 0;
}

static void display_up(bool again, void *userdata)
{
	struct viewer *viewer = userdata;

	answer_login(viewer, 0, NULL);
	if (again) {
		call_viewer(viewer, status_told, "Status", "");
		if (viewer->desktop)
			watch_update(viewer->desktop);
		viewer->sound_told = true;
		give_sound(viewer, true);
		return;
	}
	show_status(viewer);
	attach(viewer);
	give_sound(viewer, false);
}

static const struct child_kind DISPLAY = {
    .kind = SPAWN_DISPLAY,
    .path = VIEWER_API_PATH,
    .interface = VIEWER_API_INTERFACE,
    .version = VIEWER_API_VERSION,
    .setup = display_setup,
    .up = display_up,
    .ended = display_ended,
};

static int viewer_new(struct broker *broker, struct desktop *desktop, const struct viewer_row *row, struct viewer **ret)
{
	struct viewer *viewer = calloc(1, sizeof(*viewer));
	char name[32];
	int r;

	if (!viewer)
		return -ENOMEM;
	viewer->broker = broker;
	viewer->row = *row;
	viewer->stream_fd = -1;
	snprintf(name, sizeof(name), "display-%u", row->slot);
	r = child_new(broker, &DISPLAY, row->slot, row->desktop, name, viewer, &viewer->child);
	if (r < 0) {
		free(viewer);
		return r;
	}
	viewer->desktop = desktop;
	viewer->next = broker->viewers->first;
	broker->viewers->first = viewer;
	if (desktop)
		desktop->n_viewers++;
	*ret = viewer;
	return 0;
}

/* The store writes "LAYOUT:VARIANT", xkb's own tools "LAYOUT(VARIANT)". */
static void keyboard_text(const char *keyboard, char *buffer, size_t size)
{
	const char *colon = strchr(keyboard, ':');

	if (colon)
		snprintf(buffer, size, "%.*s(%s)", (int)(colon - keyboard), keyboard, colon + 1);
	else
		snprintf(buffer, size, "%s", keyboard);
}

static int start_display(struct viewer *viewer, const char *keyboard, int stream_fd)
{
	const struct desktop_row *row = &viewer->desktop->row;
	char name[STORE_USER_SIZE + STORE_NAME_SIZE + 8], layout[STORE_KEYBOARD_SIZE + 2], size[32];
	char clipboard_max[24];
	struct status status;

	lifecycle_status(viewer->desktop, &status);
	keyboard_text(keyboard, layout, sizeof(layout));
	snprintf(name, sizeof(name), "%s \u2014 %s", row->owner, row->pool);
	snprintf(size, sizeof(size), "%ux%u", row->width ? row->width : VIEWER_DEFAULT_WIDTH,
		 row->height ? row->height : VIEWER_DEFAULT_HEIGHT);
	snprintf(clipboard_max, sizeof(clipboard_max), "%" PRId64,
		 conf_number(viewer->broker->conf, CONF_CLIPBOARD_MAX));

	const char *const argv[] = {
	    "--stream-fd", "3",          "--control-fd", "4",           "--name",          name,
	    "--keyboard",  layout,       "--size",       size,          "--max",           VIEWER_MAX_SIZE,
	    "--title",     status.title, "--detail",     status.detail, "--clipboard-max", clipboard_max,
	    NULL};

	return child_start(viewer->child, argv, &stream_fd, 1);
}

static void drop_unstarted(struct viewer *viewer)
{
	unlink_viewer(viewer);
	if (viewer->desktop)
		viewer->desktop->n_viewers--;
	viewer_free(viewer);
}

int viewer_start(struct desktop *desktop, const struct viewer_row *row, const char *keyboard, viewer_ready_fn ready,
		 void *userdata, struct viewer **ret)
{
	struct viewer *viewer = NULL;
	int fds[2];
	int r = viewer_new(desktop->broker, desktop, row, &viewer);

	if (r >= 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		r = -errno;
	else if (r >= 0) {
		viewer->stream_fd = fds[0];
		r = start_display(viewer, keyboard, fds[1]);
		close(fds[1]);
	}
	if (r < 0) {
		if (viewer)
			drop_unstarted(viewer);
		store_viewer_delete(desktop->broker->store, row->slot);
		if (desktop->n_viewers == 0)
			desktop_set_session_state(desktop, SESSION_DISCONNECTED);
		return r;
	}
	viewer->ready = ready;
	viewer->userdata = userdata;
	guest_login(desktop);
	watch_update(desktop);
	*ret = viewer;
	return 0;
}

void viewer_cancel(struct viewer *viewer)
{
	viewer->ready = NULL;
	viewer->closing = true;
	child_end(viewer->child, true);
}

void viewers_status(struct desktop *desktop)
{
	for (struct viewer *at = desktop->broker->viewers->first; at; at = at->next)
		if (at->desktop == desktop)
			show_status(at);
}

void viewers_attach(struct desktop *desktop)
{
	for (struct viewer *at = desktop->broker->viewers->first; at; at = at->next)
		if (at->desktop == desktop)
			attach(at);
}

void viewers_detach(struct desktop *desktop)
{
	for (struct viewer *at = desktop->broker->viewers->first; at; at = at->next) {
		if (at->desktop != desktop || !at->attached)
			continue;
		at->attached = false;
		call_viewer(at, call_done, "ClearSource", "");
		show_status(at);
	}
}

void viewers_sound(struct desktop *desktop)
{
	for (struct viewer *at = desktop->broker->viewers->first; at; at = at->next)
		if (at->desktop == desktop)
			give_sound(at, true);
}

void viewers_policy(struct desktop *desktop)
{
	for (struct viewer *at = desktop->broker->viewers->first; at; at = at->next)
		if (at->desktop == desktop)
			give_sound(at, false);
}

bool viewers_listen(const struct desktop *desktop)
{
	for (const struct viewer *at = desktop->broker->viewers->first; at; at = at->next)
		if (at->desktop == desktop && at->listens)
			return true;
	return false;
}

static int end_now(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct viewer *viewer = userdata;

	(void)source;
	(void)usec;
	child_end(viewer->child, true);
	return 0;
}

void viewers_close(struct desktop *desktop, const char *title, const char *detail)
{
	for (struct viewer *at = desktop->broker->viewers->first; at; at = at->next) {
		if (at->desktop != desktop || at->closing)
			continue;
		at->closing = true;
		at->attached = false;
		if (child_bus(at->child)) {
			call_viewer(at, call_done, "Close", "ssu", title, detail, LAST_WORD_MSEC);
			broker_timer(at->broker, &at->timer, LAST_WORD_USEC, end_now, at);
		} else {
			child_end(at->child, true);
		}
	}
}

size_t viewers_count(const struct viewers *viewers)
{
	size_t n = 0;

	for (struct viewer *at = viewers->first; at; at = at->next)
		n++;
	return n;
}

/* Of a session that has ended: told nothing more, ended. */
static int recover(struct broker *broker, const struct viewer_row *row)
{
	struct desktop *desktop = desktop_find(broker->desktops, row->desktop);
	struct viewer *viewer;
	int r = viewer_new(broker, desktop, row, &viewer);

	if (r < 0)
		return r;
	if (!desktop || desktop->session.id != row->session) {
		viewer->closing = true;
		child_end(viewer->child, true);
	}
	return child_adopt(viewer->child);
}

int viewers_new(struct broker *broker, struct viewers **ret)
{
	struct viewers *viewers = calloc(1, sizeof(*viewers));
	_cleanup_free_ struct viewer_row *rows = NULL;
	size_t n = 0;
	int r;

	if (!viewers)
		return -ENOMEM;
	viewers->broker = broker;
	broker->viewers = viewers;
	r = store_viewers(broker->store, &rows, &n);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = recover(broker, &rows[i]);
	broker->viewers = NULL;
	if (r < 0) {
		viewers_free(viewers);
		return r;
	}
	*ret = viewers;
	return 0;
}

void viewers_free(struct viewers *viewers)
{
	if (!viewers)
		return;
	while (viewers->first) {
		struct viewer *viewer = viewers->first;

		viewers->first = viewer->next;
		viewer_free(viewer);
	}
	free(viewers);
}
