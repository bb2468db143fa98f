/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/watch.h"

#include "broker/child.h"
#include "broker/viewer.h"
#include "common/bus.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "display/screen/screen_api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_FIRST_USEC UINT64_C(50000)
#define BACKOFF_MAX_USEC UINT64_C(3200000)
#define STEADY_USEC UINT64_C(10000000)

struct watch {
	struct broker *broker;
	struct desktop *desktop;
	struct child *child; /* NULL: no screen */
	sd_event_source *timer;
	uint64_t backoff, paused; /* CLOCK_MONOTONIC, us: the last pause's start */
	bool source, opening;
	bool had_source; /* since the desktop was last not ready */
	bool adopted;    /* what ran before this broker was looked for */
	bool pausing;    /* the timer runs: nothing is tried before */
};

static void pause_watch(struct watch *watch);
static int set_source_done(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error);

static bool is_ready(const struct watch *watch)
{
	return watch->desktop->state == DESKTOP_READY && !desktop_is_leaving(watch->desktop);
}

bool watch_has_source(const struct watch *watch)
{
	return watch && watch->source && child_bus(watch->child);
}

bool watch_is_reconnecting(const struct watch *watch)
{
	return watch && watch->had_source && !watch_has_source(watch);
}

static int screen_failed(sd_bus_message *reply, const struct watch *watch)
{
	struct error err = {0};

	if (!sd_bus_message_is_method_error(reply, NULL))
		return 0;
	bus_reply_error(reply, &err);
	log_warning("hotdesk-screen of %s: %s", watch->desktop->row.id, err.text);
	return err.code;
}

static int call_screen(struct watch *watch, sd_bus_message_handler_t done, const char *method, const char *types, ...)
{
	sd_bus *bus = child_bus(watch->child);
	va_list args;
	int r;

	if (!bus)
		return -ENOTCONN;
	va_start(args, types);
	r = sd_bus_call_method_asyncv(bus, NULL, NULL, SCREEN_API_PATH, SCREEN_API_INTERFACE, method, done, watch,
				      types, args);
	va_end(args);
	return r;
}

static void display_opened(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct watch *watch = userdata;

	(void)json;
	if (r >= 0)
		r = call_screen(watch, set_source_done, "SetSource", "h", fd);
	else
		log_warning("the display of %s cannot be opened: %s", watch->desktop->row.id, err->text);
	closep(&fd);
	if (r < 0) {
		watch->opening = false;
		pause_watch(watch);
	}
}

static int set_source_done(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct watch *watch = userdata;

	(void)ret_error;
	watch->opening = false;
	if (screen_failed(reply, watch) < 0) {
		pause_watch(watch);
		return 0;
	}
	if (!is_ready(watch))
		return 0;
	watch->source = true;
	watch->had_source = true;
	viewers_attach(watch->desktop);
	return 0;
}

static void open_display(struct watch *watch)
{
	int r;

	if (watch->source || watch->opening || !child_bus(watch->child))
		return;
	r = host_client_open_display(watch->broker->host, watch->desktop->row.id, display_opened, watch);
	if (r < 0)
		pause_watch(watch);
	else
		watch->opening = true;
}

static int on_source_lost(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct watch *watch = userdata;

	(void)message;
	(void)ret_error;
	watch->source = false;
	pause_watch(watch);
	return 0;
}

static int on_picture(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct watch *watch = userdata;
	uint32_t width, height;

	(void)ret_error;
	if (sd_bus_message_read(message, "uu", &width, &height) >= 0)
		desktop_set_size(watch->desktop, width, height);
	return 0;
}

static int screen_setup(sd_bus *bus, void *userdata)
{
	int r = sd_bus_match_signal(bus, NULL, NULL, SCREEN_API_PATH, SCREEN_API_INTERFACE, "SourceLost",
				    on_source_lost, userdata);

	if (r >= 0)
		r = sd_bus_match_signal(bus, NULL, NULL, SCREEN_API_PATH, SCREEN_API_INTERFACE, "Picture", on_picture,
					userdata);
	return r;
}

static int size_told(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct watch *watch = userdata;
	uint32_t width, height, displays;
	int source;

	(void)ret_error;
	if (screen_failed(reply, watch) >= 0 &&
	    sd_bus_message_read(reply, "buuu", &source, &width, &height, &displays) >= 0)
		desktop_set_size(watch->desktop, width, height);
	return 0;
}

static int adopted_told(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct watch *watch = userdata;
	uint32_t width, height, displays;
	int source = 0;

	(void)ret_error;
	watch->opening = false;
	if (screen_failed(reply, watch) >= 0 &&
	    sd_bus_message_read(reply, "buuu", &source, &width, &height, &displays) >= 0 && source) {
		watch->source = true;
		watch->had_source = true;
		viewers_attach(watch->desktop);
	}
	watch_update(watch->desktop);
	return 0;
}

static void screen_up(bool again, void *userdata)
{
	struct watch *watch = userdata;

	if (again && call_screen(watch, adopted_told, "Status", "") >= 0)
		watch->opening = true;
	watch_update(watch->desktop);
}

static void free_watch(struct watch *watch)
{
	host_client_forget(watch->broker->host, watch);
	child_free(watch->child);
	sd_event_source_disable_unref(watch->timer);
	watch->desktop->watch = NULL;
	free(watch);
}

static void screen_ended(const struct error *err, void *userdata)
{
	struct watch *watch = userdata;
	bool none_to_adopt = watch->adopted && err->code == -ESRCH;

	host_client_forget(watch->broker->host, watch);
	child_free(watch->child);
	watch->child = NULL;
	watch->source = false;
	watch->opening = false;
	if (!none_to_adopt) {
		if (err->code < 0)
			log_error("hotdesk-screen of %s: %s", watch->desktop->row.id, err->text);
		else if (watch->desktop->n_viewers > 0)
			log_warning("hotdesk-screen of %s ended", watch->desktop->row.id);
		viewers_detach(watch->desktop);
	}
	watch->adopted = false;
	if (watch->desktop->n_viewers == 0)
		free_watch(watch);
	else if (none_to_adopt)
		watch_update(watch->desktop);
	else
		pause_watch(watch);
}

static const struct child_kind SCREEN = {
    .kind = SPAWN_SCREEN,
    .path = SCREEN_API_PATH,
    .interface = SCREEN_API_INTERFACE,
    .version = SCREEN_API_VERSION,
    .setup = screen_setup,
    .up = screen_up,
    .ended = screen_ended,
};

static int new_child(struct watch *watch)
{
	const struct desktop_row *row = &watch->desktop->row;
	char name[HOST_DESKTOP_ID_MAX + 8];

	snprintf(name, sizeof(name), "screen-%s", row->id);
	return child_new(watch->broker, &SCREEN, row->slot, row->id, name, watch, &watch->child);
}

static void start_screen(struct watch *watch)
{
	const char *const argv[] = {"--control-fd", "3", "--id", watch->desktop->row.id, NULL};
	int r = new_child(watch);

	if (r >= 0)
		r = child_start(watch->child, argv, NULL, 0);
	if (r < 0) {
		log_error("hotdesk-screen of %s cannot be started: %s", watch->desktop->row.id, strerror(-r));
		child_free(watch->child);
		watch->child = NULL;
		pause_watch(watch);
	}
}

/* A screen may be there already: of before a restart of the broker. */
static int make_watch(struct desktop *desktop)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	watch->broker = desktop->broker;
	watch->desktop = desktop;
	watch->adopted = true;
	r = new_child(watch);
	if (r >= 0)
		r = child_adopt(watch->child);
	if (r < 0) {
		child_free(watch->child);
		free(watch);
		return r;
	}
	desktop->watch = watch;
	return 0;
}

void watch_update(struct desktop *desktop)
{
	struct watch *watch = desktop->watch;

	if (!watch) {
		if (desktop->n_viewers > 0 && desktop->state == DESKTOP_READY)
			make_watch(desktop);
		return;
	}
	if (!is_ready(watch)) {
		watch->source = false;
		watch->had_source = false;
		watch->backoff = 0;
		watch->pausing = false;
		watch->timer = sd_event_source_disable_unref(watch->timer);
		viewers_detach(desktop);
	} else if (watch->pausing) {
		return;
	} else if (!watch->child) {
		if (desktop->n_viewers > 0)
			start_screen(watch);
	} else {
		open_display(watch);
	}
}

static int pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct watch *watch = userdata;

	(void)source;
	(void)usec;
	watch->pausing = false;
	watch_update(watch->desktop);
	return 0;
}

/* The first try comes at once, the next ones later and later until all was well for a while. */
static void pause_watch(struct watch *watch)
{
	uint64_t now = 0;

	sd_event_now(watch->broker->event, CLOCK_MONOTONIC, &now);
	if (now - watch->paused > STEADY_USEC)
		watch->backoff = 0;
	watch->paused = now;
	watch->pausing = true;
	broker_timer(watch->broker, &watch->timer, watch->backoff, pause_over, watch);
	watch->backoff = watch->backoff == 0                     ? BACKOFF_FIRST_USEC
			 : watch->backoff > BACKOFF_MAX_USEC / 2 ? BACKOFF_MAX_USEC
								 : watch->backoff * 2;
}

static int display_added(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	screen_failed(reply, userdata);
	return 0;
}

int watch_add_display(struct watch *watch, int fd)
{
	return call_screen(watch, display_added, "AddDisplay", "h", fd);
}

void watch_viewer_left(struct desktop *desktop)
{
	if (desktop->watch && watch_has_source(desktop->watch))
		call_screen(desktop->watch, size_told, "Status", "");
}

void watch_drop(struct desktop *desktop)
{
	if (!desktop->watch)
		return;
	if (desktop->watch->child)
		child_end(desktop->watch->child, true);
	free_watch(desktop->watch);
}

void watches_free(struct desktops *desktops)
{
	for (struct desktop *at = desktops_first(desktops); at; at = at->next)
		if (at->watch)
			free_watch(at->watch);
}
