/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/source.h"

#include "common/bus.h"
#include "common/log.h"
#include "display/display1.h"
#include "display/display1_listen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUTTONS 5       /* QEMU: left, middle, right, wheel up, wheel down; RFB has them in the same order */
#define ECHOES 32       /* of our own positions, which the guest reports back */
#define QUEUE_MOTION 64 /* messages waiting above which motion is only remembered */
#define QUEUE_MAX 8192  /* above which the peer is given up */

struct source {
	sd_event *event;
	struct surface *surface;
	const struct source_ops *ops;
	void *userdata;
	sd_bus *bus;
	sd_bus_slot *gone;
	struct display1_listener *listener;
	struct pixels *own; /* where inline pixels go; the surface has it too */
	struct pixels *current;
	bool pictured, lost, closing;
	bool pressed[DISPLAY1_QNUM_MAX];
	uint8_t buttons;
	struct {
		int x, y;
	} sent[ECHOES];
	unsigned n_sent;
};

static void source_lost(struct source *source)
{
	if (source->lost)
		return;
	source->lost = true;
	if (!source->closing)
		source->ops->lost(source->userdata);
}

static int source_gone(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	(void)message;
	(void)ret_error;
	source_lost(userdata);
	return 0;
}

static void source_pictured(struct source *source)
{
	if (source->pictured)
		return;
	source->pictured = true;
	source->ops->pictured(source->userdata);
}

/* Takes over `pixels`. */
static void source_show(struct source *source, struct pixels *pixels)
{
	pixels_unref(source->current);
	source->current = pixels_ref(pixels);
	surface_set_pixels(source->surface, pixels);
	source_pictured(source);
}

static void copy_lines(struct pixels *to, int x, int y, int w, int h, const uint8_t *data, size_t stride)
{
	for (int line = 0; line < h; line++)
		memcpy(to->data + (size_t)(y + line) * to->stride + (size_t)x * 4, data + (size_t)line * stride,
		       (size_t)w * 4);
}

static int on_scanout(uint32_t width, uint32_t height, const struct display1_pixels *pixels, void *userdata)
{
	struct source *source = userdata;
	struct pixels *own = source->own;
	int r = pixels_check(width, height, pixels->stride, pixels->format, pixels->size);

	if (r < 0)
		return r;
	if (!own || source->current != own || own->width != (int)width || own->height != (int)height) {
		r = pixels_new(width, height, &own);
		if (r < 0)
			return r;
		pixels_unref(source->own);
		source->own = pixels_ref(own);
		copy_lines(own, 0, 0, (int)width, (int)height, pixels->data, pixels->stride);
		source_show(source, own);
	} else {
		copy_lines(own, 0, 0, (int)width, (int)height, pixels->data, pixels->stride);
		surface_damage(source->surface, (struct rect){0, 0, (int)width, (int)height});
		source_pictured(source);
	}
	return 0;
}

static bool inside(const struct pixels *pixels, const struct display1_rect *rect)
{
	return pixels && rect->x >= 0 && rect->y >= 0 && rect->w > 0 && rect->h > 0 && rect->w <= pixels->width &&
	       rect->h <= pixels->height && rect->x <= pixels->width - rect->w && rect->y <= pixels->height - rect->h;
}

static int on_update(const struct display1_rect *rect, const struct display1_pixels *pixels, void *userdata)
{
	struct source *source = userdata;
	int r;

	if (source->current != source->own || !inside(source->own, rect)) {
		/* QEMU 7.2 may do this after a change of size: registering again brings a whole picture. */
		if (display1_listener_register(source->listener) < 0)
			source_lost(source);
		return 1;
	}
	r = pixels_check((uint32_t)rect->w, (uint32_t)rect->h, pixels->stride, pixels->format, pixels->size);
	if (r < 0)
		return r;
	copy_lines(source->own, rect->x, rect->y, rect->w, rect->h, pixels->data, pixels->stride);
	surface_damage(source->surface, (struct rect){rect->x, rect->y, rect->w, rect->h});
	return 0;
}

static int on_scanout_map(int fd, uint32_t offset, uint32_t width, uint32_t height, uint32_t stride, uint32_t format,
			  void *userdata)
{
	struct pixels *pixels;
	int r = pixels_map(fd, offset, width, height, stride, format, &pixels);

	if (r < 0)
		return r;
	source_show(userdata, pixels);
	return 0;
}

static int on_update_map(const struct display1_rect *rect, void *userdata)
{
	const struct source *source = userdata;

	if (rect->w > 0 && rect->h > 0)
		surface_damage(source->surface, (struct rect){rect->x, rect->y, rect->w, rect->h});
	return 0;
}

static int on_disable(void *userdata)
{
	struct source *source = userdata;

	pixels_unref(source->current);
	source->current = NULL;
	source->pictured = false;
	source->ops->disabled(source->userdata);
	return 0;
}

static bool is_echo(const struct source *source, int x, int y)
{
	for (unsigned i = 0; i < ECHOES && i < source->n_sent; i++)
		if (abs(source->sent[i].x - x) <= 1 && abs(source->sent[i].y - y) <= 1)
			return true;
	return false;
}

static int on_mouse(int32_t x, int32_t y, bool on, void *userdata)
{
	const struct source *source = userdata;

	if (abs(x) > UINT16_MAX || abs(y) > UINT16_MAX)
		return -EINVAL;
	surface_move_pointer(source->surface, x, y, on, !is_echo(source, x, y));
	return 0;
}

static int on_cursor(int32_t width, int32_t height, int32_t hot_x, int32_t hot_y, const void *argb, size_t size,
		     void *userdata)
{
	const struct source *source = userdata;
	struct cursor *cursor;
	int r = cursor_new(width, height, hot_x, hot_y, argb, size, &cursor);

	if (r >= 0)
		surface_set_cursor(source->surface, cursor);
	return r < 0 ? r : 0;
}

static void listener_gone(void *userdata)
{
	source_lost(userdata);
}

static void listener_failed(const char *why, void *userdata)
{
	log_warning("the desktop's display takes no listener: %s", why);
	source_lost(userdata);
}

static const struct display1_listener_ops listener_ops = {
    .scanout = on_scanout,
    .update = on_update,
    .scanout_map = on_scanout_map,
    .update_map = on_update_map,
    .disable = on_disable,
    .mouse = on_mouse,
    .cursor = on_cursor,
    .gone = listener_gone,
    .failed = listener_failed,
};

int source_new(sd_event *event, int fd, struct surface *surface, const struct source_ops *ops, void *userdata,
	       struct source **ret)
{
	struct source *source = calloc(1, sizeof(*source));
	int r;

	if (!source) {
		close(fd);
		return -ENOMEM;
	}
	source->event = sd_event_ref(event);
	source->surface = surface;
	source->ops = ops;
	source->userdata = userdata;
	r = bus_client_fd(event, fd, &source->bus);
	/* The end of the event loop would close it before the keys are released. */
	if (r >= 0)
		r = sd_bus_set_close_on_exit(source->bus, 0);
	if (r >= 0)
		r = bus_on_disconnect(source->bus, source_gone, source, &source->gone);
	if (r >= 0)
		r = display1_listener_new(event, source->bus, &listener_ops, source, &source->listener);
	if (r < 0) {
		source_free(source);
		return r;
	}
	*ret = source;
	return 0;
}

bool source_has_picture(const struct source *source)
{
	return source && source->pictured;
}

sd_bus *source_bus(struct source *source)
{
	return source->bus;
}

/* One call to Console_0 that expects no reply. */
static __attribute__((sentinel)) void source_call(struct source *source, const char *interface, const char *member,
						  const char *types, ...)
{
	sd_bus_message *message = NULL;
	va_list args;
	int r = sd_bus_message_new_method_call(source->bus, &message, NULL, DISPLAY1_CONSOLE_PATH, interface, member);

	va_start(args, types);
	if (r >= 0)
		r = sd_bus_message_appendv(message, types, args);
	va_end(args);
	if (r >= 0)
		r = sd_bus_message_set_expect_reply(message, 0);
	if (r >= 0)
		r = sd_bus_send(source->bus, message, NULL);
	if (r < 0)
		log_debug("%s.%s: %s", interface, member, strerror(-r));
	sd_bus_message_unref(message);
}

static uint64_t source_queued(struct source *source)
{
	uint64_t queued = 0;

	return sd_bus_get_n_queued_write(source->bus, &queued) < 0 ? 0 : queued;
}

/* A peer that takes no input any more would make the queue grow for ever. */
static bool source_stuck(struct source *source)
{
	if (source->lost)
		return true;
	if (source_queued(source) <= QUEUE_MAX)
		return false;
	source_lost(source);
	return true;
}

void source_key(struct source *source, uint32_t qnum, bool down)
{
	if (qnum == 0 || qnum >= DISPLAY1_QNUM_MAX || (!down && !source->pressed[qnum]) || source_stuck(source))
		return;
	source->pressed[qnum] = down;
	source_call(source, DISPLAY1_KEYBOARD, down ? "Press" : "Release", "u", qnum, NULL);
}

static void source_buttons(struct source *source, uint8_t buttons)
{
	for (uint32_t i = 0; i < BUTTONS; i++) {
		uint8_t bit = (uint8_t)(1 << i);

		if (!((buttons ^ source->buttons) & bit))
			continue;
		source_call(source, DISPLAY1_MOUSE, buttons & bit ? "Press" : "Release", "u", i, NULL);
	}
	source->buttons = buttons;
}

void source_pointer(struct source *source, int x, int y, uint8_t buttons)
{
	bool only_motion = ((buttons ^ source->buttons) & ((1 << BUTTONS) - 1)) == 0;

	/* The place of a press is exact; motion in between may be skipped while the peer is slow. */
	if (source_stuck(source) || (only_motion && source_queued(source) > QUEUE_MOTION))
		return;
	source->sent[source->n_sent++ % ECHOES].x = x;
	source->sent[(source->n_sent - 1) % ECHOES].y = y;
	source_call(source, DISPLAY1_MOUSE, "SetAbsPosition", "uu", (uint32_t)x, (uint32_t)y, NULL);
	source_buttons(source, buttons);
}

void source_set_size(struct source *source, int width, int height)
{
	source_call(source, DISPLAY1_CONSOLE, "SetUIInfo", "qqiiuu", 0, 0, 0, 0, (uint32_t)width, (uint32_t)height,
		    NULL);
}

static void source_release_all(struct source *source)
{
	for (uint32_t qnum = 1; qnum < DISPLAY1_QNUM_MAX; qnum++)
		if (source->pressed[qnum])
			source_key(source, qnum, false);
	source_buttons(source, 0);
}

void source_free(struct source *source)
{
	if (!source)
		return;
	if (source->bus && !source->lost) {
		source->closing = true;
		source_release_all(source);
	}
	display1_listener_free(source->listener);
	sd_bus_slot_unref(source->gone);
	sd_bus_close_unref(source->bus);
	pixels_unref(source->own);
	pixels_unref(source->current);
	sd_event_unref(source->event);
	free(source);
}
