/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/watch.h"

#include "broker/backoff.h"
#include "broker/child.h"
#include "broker/clipboard.h"
#include "broker/sound.h"
#include "broker/viewer.h"
#include "common/bus.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "display/screen/screen_api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct watch {
	struct broker *broker;
	struct desktop *desktop;
	struct child *child; /* NULL: no screen */
	struct clipboard *clipboard;
	struct backoff backoff; /* of the screen's start and its source */
	bool source, opening;
	bool had_source; /* since the desktop was last not ready */
	bool adopted;    /* what ran before this broker was looked for */
};

static int set_source_done(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error);

static bool is_ready(const struct watch *watch)
{
	return watch->desktop->state == DESKTOP_READY && !desktop_is_leaving(watch->desktop);
}

struct child *watch_child(const struct watch *watch)
{
	return watch ? watch->child : NULL;
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

static void display_opened(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct watch *watch = userdata;

	(void)json;
	if (r >= 0)
		r = child_call(watch->child, set_source_done, watch, "SetSource", "h", fd);
	else
		log_warning("the display of %s cannot be opened: %s", watch->desktop->row.id, err->text);
	closep(&fd);
	if (r < 0) {
		watch->opening = false;
		backoff_pause(&watch->backoff);
	}
}

static void source_is_there(struct watch *watch)
{
	watch->source = true;
	watch->had_source = true;
	viewers_attach(watch->desktop);
	clipboard_open(watch->clipboard);
}

static int set_source_done(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct watch *watch = userdata;

	(void)ret_error;
	watch->opening = false;
	if (screen_failed(reply, watch) < 0) {
		backoff_pause(&watch->backoff);
		return 0;
	}
	if (!is_ready(watch))
		return 0;
	source_is_there(watch);
	return 0;
}

static void open_display(struct watch *watch)
{
	int r;

	if (watch->source || watch->opening || !child_bus(watch->child))
		return;
	r = host_client_open_display(watch->broker->host, watch->desktop->row.id, display_opened, watch);
	if (r < 0)
		backoff_pause(&watch->backoff);
	else
		watch->opening = true;
}

static int on_source_lost(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct watch *watch = userdata;

	(void)message;
	(void)ret_error;
	watch->source = false;
	backoff_pause(&watch->backoff);
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
	const struct watch *watch = userdata;
	int r = sd_bus_match_signal(bus, NULL, NULL, SCREEN_API_PATH, SCREEN_API_INTERFACE, "SourceLost",
				    on_source_lost, userdata);

	if (r >= 0)
		r = sd_bus_match_signal(bus, NULL, NULL, SCREEN_API_PATH, SCREEN_API_INTERFACE, "Picture", on_picture,
					userdata);
	return r < 0 ? r : clipboard_setup(watch->clipboard, bus);
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
	    sd_bus_message_read(reply, "buuu", &source, &width, &height, &displays) >= 0 && source)
		source_is_there(watch);
	watch_update(watch->desktop);
	return 0;
}

static void screen_up(bool again, void *userdata)
{
	struct watch *watch = userdata;

	if (again && child_call(watch->child, adopted_told, watch, "Status", "") >= 0)
		watch->opening = true;
	clipboard_screen_up(watch->clipboard);
	sound_screen_up(watch->desktop, again);
	watch_update(watch->desktop);
}

static void free_watch(struct watch *watch)
{
	host_client_forget(watch->broker->host, watch);
	child_free(watch->child);
	clipboard_free(watch->clipboard);
	backoff_reset(&watch->backoff);
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
		backoff_pause(&watch->backoff);
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
		backoff_pause(&watch->backoff);
	}
}

static void try_again(void *userdata)
{
	const struct watch *watch = userdata;

	watch_update(watch->desktop);
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
	watch->backoff = (struct backoff){.broker = desktop->broker, .over = try_again, .userdata = watch};
	r = clipboard_new(desktop, &watch->clipboard);
	if (r >= 0)
		r = new_child(watch);
	if (r >= 0)
		r = child_adopt(watch->child);
	if (r < 0) {
		child_free(watch->child);
		clipboard_free(watch->clipboard);
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
		backoff_reset(&watch->backoff);
		clipboard_reset(watch->clipboard);
		viewers_detach(desktop);
	} else if (watch->backoff.pausing) {
		return;
	} else if (!watch->child) {
		if (desktop->n_viewers > 0)
			start_screen(watch);
	} else {
		open_display(watch);
	}
}

static int display_added(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	screen_failed(reply, userdata);
	return 0;
}

int watch_add_display(struct watch *watch, int fd)
{
	return child_call(watch->child, display_added, watch, "AddDisplay", "h", fd);
}

void watch_viewer_left(struct desktop *desktop)
{
	if (desktop->watch && watch_has_source(desktop->watch))
		child_call(desktop->watch->child, size_told, desktop->watch, "Status", "");
}

void watches_policy(struct desktops *desktops)
{
	for (struct desktop *at = desktops_first(desktops); at; at = at->next)
		if (at->watch)
			clipboard_policy(at->watch->clipboard);
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
