/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/screen/screen.h"

#include "common/log.h"
#include "display/display1.h"
#include "display/screen/input.h"
#include "display/screen/screen_api.h"
#include "display/screen/sound.h"
#include "display/screen/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DISPLAYS_MAX 64
#define UI_EDGE_MIN 64
#define FOLLOW_USEC UINT64_C(1500000) /* how long a guest may take to follow a wish; then twice that, and again */
#define FOLLOW_TRIES 4

struct display {
	struct client *client;
	struct display *next;
};

struct screen {
	sd_event *event;
	const struct screen_ops *ops;
	void *userdata;
	struct source *source;
	struct input *input;
	struct clipboard *clipboard;
	struct sound *sound; /* NULL: nobody listens */
	struct framebuffer *framebuffer;
	bool enabled;   /* the framebuffer shows the desktop */
	bool announced; /* picture was told for this source */
	struct client_cursor cursor;
	int mouse_x, mouse_y;
	bool mouse_on, mouse_known;
	int pointer_x, pointer_y;                                    /* where a viewer last pointed, -1: nowhere yet */
	bool keys[DISPLAY1_QNUM_MAX], buttons[DISPLAY1_BUTTONS_MAX]; /* what the guest was told is down */
	struct display *displays;
	unsigned n_displays;
	uint32_t ui_width, ui_height; /* the newest wish, 0: none */
	sd_event_source *follow;
	unsigned ui_told; /* how often */
};

static struct framebuffer *on_resized(int width, int height, void *userdata)
{
	struct screen *screen = userdata;
	struct framebuffer *old = screen->framebuffer, *fresh;

	if (!old || old->width != width || old->height != height) {
		if (framebuffer_new(width, height, &fresh) < 0) {
			log_error("no memory for a picture of %dx%d", width, height);
			return NULL;
		}
		screen->framebuffer = fresh;
	}
	screen->enabled = false; /* shown with its first pixels */
	for (struct display *at = screen->displays; at && screen->framebuffer != old; at = at->next)
		client_withdraw(at->client);
	if (screen->framebuffer != old)
		framebuffer_free(old);
	return screen->framebuffer;
}

static void on_damaged(struct region_rect rect, void *userdata)
{
	struct screen *screen = userdata;

	for (struct display *at = screen->displays; at; at = at->next) {
		if (screen->enabled)
			client_damage(at->client, rect);
		else
			client_show(at->client, screen->framebuffer);
	}
	screen->enabled = true;
	if (!screen->announced)
		screen->ops->picture(screen->framebuffer->width, screen->framebuffer->height, screen->userdata);
	screen->announced = true;
}

static void on_cursor(int width, int height, int hot_x, int hot_y, const uint8_t *argb, void *userdata)
{
	struct screen *screen = userdata;
	size_t size = (size_t)width * (size_t)height * 4;
	uint8_t *copy = malloc(size);

	if (!copy)
		return;
	memcpy(copy, argb, size);
	free(screen->cursor.argb);
	screen->cursor = (struct client_cursor){width, height, hot_x, hot_y, copy};
	for (struct display *at = screen->displays; at; at = at->next)
		client_cursor(at->client, &screen->cursor);
}

static void on_mouse(int x, int y, bool on, void *userdata)
{
	struct screen *screen = userdata;

	screen->mouse_x = x;
	screen->mouse_y = y;
	screen->mouse_on = on;
	screen->mouse_known = true;
	for (struct display *at = screen->displays; at; at = at->next)
		client_mouse(at->client, x, y, on);
}

static void on_disabled(void *userdata)
{
	struct screen *screen = userdata;

	screen->enabled = false;
	for (struct display *at = screen->displays; at; at = at->next)
		client_show(at->client, NULL);
}

static void drop_source(struct screen *screen)
{
	sound_set_source(screen->sound, NULL);
	source_free(screen->source);
	screen->source = NULL;
}

/* A desktop that cannot be heard is seen all the same. */
static void hear_source(struct screen *screen)
{
	int r = screen->source ? sound_set_source(screen->sound, source_bus(screen->source)) : 0;

	if (r < 0)
		log_error("the desktop's sound is not to be had: %s", strerror(-r));
}

static void on_lost(void *userdata)
{
	struct screen *screen = userdata;

	/* Displays keep the last picture: it may be back in a moment. */
	drop_source(screen);
	input_clear(screen->input);
	log_notice("the desktop's display connection ended");
	screen->ops->source_lost(screen->userdata);
}

static const struct source_ops source_ops = {on_resized, on_damaged, on_cursor, on_mouse, on_disabled, on_lost};

static bool is_held(const struct screen *screen, bool (*holds)(const struct client *client, uint32_t what),
		    uint32_t what)
{
	for (const struct display *at = screen->displays; at; at = at->next)
		if (holds(at->client, what))
			return true;
	return false;
}

/* What was released while there was no source the guest still holds down. */
static void release_owed(struct screen *screen)
{
	for (uint32_t key = 0; key < DISPLAY1_QNUM_MAX; key++)
		if (screen->keys[key] && !is_held(screen, client_holds_key, key))
			input_add(screen->input, &(struct input_event){INPUT_KEY, key, 0});
	for (uint32_t button = 0; button < DISPLAY1_BUTTONS_MAX; button++)
		if (screen->buttons[button] && !is_held(screen, client_holds_button, button))
			input_add(screen->input, &(struct input_event){INPUT_BUTTON, button, 0});
}

static void tell_size(struct screen *screen)
{
	source_ui_info(screen->source, screen->ui_width, screen->ui_height, screen->ui_told % 2 == 1);
	sd_event_source_set_time_relative(screen->follow, FOLLOW_USEC << screen->ui_told);
	sd_event_source_set_enabled(screen->follow, SD_EVENT_ONESHOT);
	screen->ui_told++;
}

/*
 * A guest that is told of one size while it takes in another may miss it: virtio-gpu's driver asks for the size and
 * clears the event behind that, also one that has come in between. A stock desktop that does not follow its
 * screen may follow its vdagent.
 */
static int on_follow(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct screen *screen = userdata;
	const struct framebuffer *framebuffer = screen->framebuffer;

	(void)source;
	(void)usec;
	if (screen->source && framebuffer && screen->ui_told < FOLLOW_TRIES &&
	    ((uint32_t)framebuffer->width != screen->ui_width || (uint32_t)framebuffer->height != screen->ui_height)) {
		tell_size(screen);
		clipboard_set_size(screen->clipboard, screen->ui_width, screen->ui_height);
	}
	return 0;
}

int screen_set_source(struct screen *screen, int fd)
{
	struct source *source;
	int r = source_new(screen->event, fd, &source_ops, screen, &source);

	if (r < 0)
		return r;
	drop_source(screen);
	screen->source = source;
	hear_source(screen);
	screen->announced = false;
	release_owed(screen);
	screen->ui_told = 0;
	if (screen->ui_width)
		tell_size(screen);
	return 0;
}

static bool send_pointer(struct screen *screen)
{
	uint32_t buttons = 0;

	for (uint32_t i = 0; i < DISPLAY1_BUTTONS_MAX; i++)
		buttons |= screen->buttons[i] ? UINT32_C(1) << i : 0;
	return screen->pointer_x >= 0 && clipboard_set_pointer(screen->clipboard, (uint32_t)screen->pointer_x,
							       (uint32_t)screen->pointer_y, buttons);
}

/* A guest without a driver for the tablet is told by its vdagent; without that either its pointer goes as far as the
 * viewer's. */
static void send_position(struct screen *screen, int x, int y)
{
	int from_x = screen->pointer_x, from_y = screen->pointer_y;

	screen->pointer_x = x;
	screen->pointer_y = y;
	if (source_is_absolute(screen->source))
		source_position(screen->source, (uint32_t)x, (uint32_t)y);
	else if (!send_pointer(screen) && from_x >= 0)
		source_motion(screen->source, x - from_x, y - from_y);
}

/* QEMU hears of a release in any case: its guest may have been pressed before it changed what it takes. */
static void send_button(struct screen *screen, uint32_t button, bool down)
{
	screen->buttons[button] = down;
	if (source_is_absolute(screen->source) || !send_pointer(screen) || !down)
		source_button(screen->source, button, down);
}

static void send_input(const struct input_event *event, void *userdata)
{
	struct screen *screen = userdata;

	if (!screen->source)
		return;
	switch (event->type) {
	case INPUT_KEY:
		screen->keys[event->a] = event->b != 0;
		source_key(screen->source, event->a, event->b != 0);
		return;
	case INPUT_BUTTON:
		send_button(screen, event->a, event->b != 0);
		return;
	case INPUT_POSITION:
		send_position(screen, (int)event->a, (int)event->b);
		return;
	case INPUT_MOTION:
		source_motion(screen->source, (int32_t)event->a, (int32_t)event->b);
		return;
	}
}

static void on_client_key(uint32_t key, bool down, void *userdata)
{
	struct screen *screen = userdata;

	input_add(screen->input, &(struct input_event){INPUT_KEY, key, down});
}

static void on_client_button(uint32_t button, bool down, void *userdata)
{
	struct screen *screen = userdata;

	input_add(screen->input, &(struct input_event){INPUT_BUTTON, button, down});
}

/* QEMU refuses positions outside of the surface. */
static void on_client_position(uint32_t x, uint32_t y, void *userdata)
{
	struct screen *screen = userdata;
	const struct framebuffer *framebuffer = screen->framebuffer;
	struct input_event event = {INPUT_POSITION, x, y};

	if (!framebuffer)
		return;
	if (event.a >= (uint32_t)framebuffer->width)
		event.a = (uint32_t)framebuffer->width - 1;
	if (event.b >= (uint32_t)framebuffer->height)
		event.b = (uint32_t)framebuffer->height - 1;
	input_add(screen->input, &event);
}

static void on_client_motion(int dx, int dy, void *userdata)
{
	struct screen *screen = userdata;

	input_add(screen->input, &(struct input_event){INPUT_MOTION, (uint32_t)dx, (uint32_t)dy});
}

static uint32_t clamp(uint32_t value, uint32_t most)
{
	return value < UI_EDGE_MIN ? UI_EDGE_MIN : value > most ? most : value;
}

static void on_client_ui_info(uint32_t width, uint32_t height, void *userdata)
{
	struct screen *screen = userdata;

	screen->ui_width = clamp(width, SCREEN_WIDTH_MAX);
	screen->ui_height = clamp(height, SCREEN_HEIGHT_MAX);
	screen->ui_told = 0;
	if (screen->source)
		tell_size(screen);
}

static void on_client_listens(struct client *client, void *userdata)
{
	struct screen *screen = userdata;

	if (screen->framebuffer && screen->enabled)
		client_show(client, screen->framebuffer);
	if (screen->cursor.argb)
		client_cursor(client, &screen->cursor);
	if (screen->mouse_known)
		client_mouse(client, screen->mouse_x, screen->mouse_y, screen->mouse_on);
}

static void display_drop(struct screen *screen, struct display **at)
{
	struct display *display = *at;

	*at = display->next;
	screen->n_displays--;
	client_free(display->client);
	free(display);
}

static void on_client_gone(struct client *client, void *userdata)
{
	struct screen *screen = userdata;

	for (struct display **at = &screen->displays; *at; at = &(*at)->next)
		if ((*at)->client == client) {
			display_drop(screen, at);
			break;
		}
	screen->ops->displays(screen->n_displays, screen->userdata);
}

static const struct client_ops client_ops = {on_client_key,     on_client_button,  on_client_position, on_client_motion,
					     on_client_ui_info, on_client_listens, on_client_gone};

int screen_add_display(struct screen *screen, int fd)
{
	struct display *display = calloc(1, sizeof(*display));
	int r;

	if (!display || screen->n_displays >= DISPLAYS_MAX) {
		close(fd);
		free(display);
		return -EMFILE;
	}
	r = client_new(screen->event, fd, screen->clipboard, &client_ops, screen, &display->client);
	if (r < 0) {
		free(display);
		return r;
	}
	display->next = screen->displays;
	screen->displays = display;
	screen->n_displays++;
	screen->ops->displays(screen->n_displays, screen->userdata);
	return 0;
}

int screen_set_vdagent(struct screen *screen, int fd)
{
	return clipboard_set_vdagent(screen->clipboard, fd);
}

int screen_set_sound(struct screen *screen, int fd)
{
	struct sound *sound;
	int r;

	if (sound_is_at(screen->sound, fd)) {
		close(fd);
		return 0;
	}
	r = sound_new(screen->event, fd, &sound);
	if (r < 0)
		return r;
	screen_clear_sound(screen);
	screen->sound = sound;
	hear_source(screen);
	return 0;
}

void screen_clear_sound(struct screen *screen)
{
	sound_free(screen->sound);
	screen->sound = NULL;
}

void screen_set_clipboard(struct screen *screen, uint32_t allowed, uint32_t max_bytes)
{
	clipboard_set_policy(screen->clipboard, allowed, max_bytes);
}

struct screen_status screen_status(const struct screen *screen)
{
	bool shown = screen->framebuffer && screen->enabled;

	return (struct screen_status){screen->source != NULL, shown ? screen->framebuffer->width : 0,
				      shown ? screen->framebuffer->height : 0, screen->n_displays};
}

int screen_new(sd_event *event, const struct screen_ops *ops, void *userdata, struct screen **ret)
{
	struct screen *screen = calloc(1, sizeof(*screen));
	int r;

	if (!screen)
		return -ENOMEM;
	screen->event = sd_event_ref(event);
	screen->ops = ops;
	screen->userdata = userdata;
	screen->pointer_x = -1;
	r = input_new(event, send_input, screen, &screen->input);
	if (r >= 0)
		r = clipboard_new(event, &ops->clipboard, userdata, &screen->clipboard);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &screen->follow, CLOCK_MONOTONIC, 0, 0, on_follow, screen);
	if (r >= 0)
		r = sd_event_source_set_enabled(screen->follow, SD_EVENT_OFF);
	if (r < 0) {
		screen_free(screen);
		return r;
	}
	*ret = screen;
	return 0;
}

void screen_free(struct screen *screen)
{
	if (!screen)
		return;
	while (screen->displays)
		display_drop(screen, &screen->displays);
	sound_free(screen->sound);
	source_free(screen->source);
	input_free(screen->input);
	clipboard_free(screen->clipboard);
	sd_event_source_disable_unref(screen->follow);
	framebuffer_free(screen->framebuffer);
	free(screen->cursor.argb);
	sd_event_unref(screen->event);
	free(screen);
}
