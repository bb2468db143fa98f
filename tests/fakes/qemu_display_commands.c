/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/fs.h"
#include "display/display1.h"
#include "tests/fakes/lines.h"
#include "tests/fakes/qemu_display.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int do_surface(void *userdata, const char *args)
{
	unsigned width, height;

	if (!line_scan(args, "uu", &width, &height))
		return -EINVAL;
	return qemu_display_surface(userdata, width, height);
}

static int do_scanout(void *userdata, const char *args)
{
	int r = *args ? do_surface(userdata, args) : 0;

	if (r >= 0)
		qemu_display_scanout(userdata);
	return r;
}

static int do_fill(void *userdata, const char *args)
{
	unsigned x, y, w, h, colour;

	if (!line_scan(args, "uuuux", &x, &y, &w, &h, &colour))
		return -EINVAL;
	return qemu_display_fill(userdata, x, y, w, h, colour);
}

static int do_pattern(void *userdata, const char *args)
{
	struct qemu_display *display = userdata;
	uint32_t value = (uint32_t)strtoul(args, NULL, 10);

	for (size_t i = 0; i < (size_t)display->width * display->height; i++) {
		value = value * 1664525u + 1013904223u;
		display->pixels[i] = value >> 8;
	}
	qemu_display_update(display, 0, 0, display->width, display->height);
	return 0;
}

/* A storm of new sizes, each with a picture. */
static int do_storm(void *userdata, const char *args)
{
	unsigned long n = strtoul(args, NULL, 10);
	int r = 0;

	for (unsigned long i = 0; i < n && r >= 0; i++) {
		r = qemu_display_surface(userdata, 64 + (uint32_t)i % 97, 64 + (uint32_t)i % 89);
		if (r >= 0)
			r = do_pattern(userdata, "1");
		qemu_display_scanout(userdata);
	}
	return r;
}

static int do_map(void *userdata, const char *args)
{
	((struct qemu_display *)userdata)->map = args[0] == '1';
	return 0;
}

static int do_seal(void *userdata, const char *args)
{
	((struct qemu_display *)userdata)->sealed = args[0] == '1';
	return 0;
}

static int do_follow(void *userdata, const char *args)
{
	((struct qemu_display *)userdata)->follow = args[0] == '1';
	return 0;
}

static int do_shrink(void *userdata, const char *args)
{
	return qemu_display_shrink(userdata, strtoul(args, NULL, 10));
}

static int do_overdue(void *userdata, const char *args)
{
	(void)args;
	qemu_display_overdue(userdata);
	return 0;
}

static int do_relative(void *userdata, const char *args)
{
	struct qemu_display *display = userdata;

	display->relative = args[0] == '1';
	if (!display->main)
		return 0;
	return sd_bus_emit_properties_changed(display->main, DISPLAY1_CONSOLE_PATH, DISPLAY1_MOUSE,
					      DISPLAY1_IS_ABSOLUTE, NULL);
}

static int do_late(void *userdata, const char *args)
{
	struct qemu_display *display = userdata;

	display->late = args[0] == '1';
	return display->late ? 0 : qemu_display_answer(display);
}

static int do_raw_scanout(void *userdata, const char *args)
{
	struct qemu_display *display = userdata;
	sd_bus_message *message = qemu_display_call(display, DISPLAY1_LISTENER, "Scanout");
	unsigned width, height, stride, format, size;
	void *data;
	int r;

	if (!line_scan(args, "uuuxu", &width, &height, &stride, &format, &size))
		return -EINVAL;
	r = sd_bus_message_append(message, "uuuu", width, height, stride, format);
	if (r >= 0)
		r = sd_bus_message_append_array_space(message, 'y', size, &data);
	if (r >= 0)
		memset(data, 0, size);
	return qemu_display_send(display, message, r);
}

static int do_raw_update(void *userdata, const char *args)
{
	struct qemu_display *display = userdata;
	sd_bus_message *message = qemu_display_call(display, DISPLAY1_LISTENER, "Update");
	int x, y, w, h, r;
	unsigned stride, size;
	void *data;

	if (!line_scan(args, "dddduu", &x, &y, &w, &h, &stride, &size))
		return -EINVAL;
	r = sd_bus_message_append(message, "iiiiuu", x, y, w, h, stride, FAKE_FORMAT);
	if (r >= 0)
		r = sd_bus_message_append_array_space(message, 'y', size, &data);
	if (r >= 0)
		memset(data, 0, size);
	return qemu_display_send(display, message, r);
}

/* The surface's fd, but any geometry. */
static int do_raw_map(void *userdata, const char *args)
{
	struct qemu_display *display = userdata;
	sd_bus_message *message = qemu_display_call(display, DISPLAY1_LISTENER_MAP, "ScanoutMap");
	unsigned offset, width, height, stride;

	if (!line_scan(args, "uuuu", &offset, &width, &height, &stride))
		return -EINVAL;
	return qemu_display_send(
	    display, message,
	    sd_bus_message_append(message, "huuuuu", display->fd, offset, width, height, stride, FAKE_FORMAT));
}

static int do_raw_update_map(void *userdata, const char *args)
{
	struct qemu_display *display = userdata;
	sd_bus_message *message = qemu_display_call(display, DISPLAY1_LISTENER_MAP, "UpdateMap");
	int x, y, w, h;

	if (!line_scan(args, "dddd", &x, &y, &w, &h))
		return -EINVAL;
	return qemu_display_send(display, message, sd_bus_message_append(message, "iiii", x, y, w, h));
}

static int do_cursor(void *userdata, const char *args)
{
	struct qemu_display *display = userdata;
	sd_bus_message *message = qemu_display_call(display, DISPLAY1_LISTENER, "CursorDefine");
	int width, height, hot_x, hot_y, r;
	unsigned colour, size;
	uint32_t *data;

	if (!line_scan(args, "ddddxu", &width, &height, &hot_x, &hot_y, &colour, &size))
		return -EINVAL;
	r = sd_bus_message_append(message, "iiii", width, height, hot_x, hot_y);
	if (r >= 0)
		r = sd_bus_message_append_array_space(message, 'y', (size_t)size * 4, (void **)&data);
	for (unsigned i = 0; r >= 0 && i < size; i++)
		data[i] = colour;
	return qemu_display_send(display, message, r);
}

static int do_mouse(void *userdata, const char *args)
{
	struct qemu_display *display = userdata;
	sd_bus_message *message = qemu_display_call(display, DISPLAY1_LISTENER, "MouseSet");
	int x, y, on;

	if (!line_scan(args, "ddd", &x, &y, &on))
		return -EINVAL;
	return qemu_display_send(display, message, sd_bus_message_append(message, "iii", x, y, on));
}

static int do_disable(void *userdata, const char *args)
{
	struct qemu_display *display = userdata;

	(void)args;
	return qemu_display_send(display, qemu_display_call(display, DISPLAY1_LISTENER, "Disable"), 0);
}

/* Updates of one pixel, as fast as they are taken. */
static int do_flood(void *userdata, const char *args)
{
	struct qemu_display *display = userdata;
	int r = 0;

	for (unsigned long n = strtoul(args, NULL, 10); n > 0 && r >= 0; n--) {
		qemu_display_update(display, 0, 0, 1, 1);
		if (n % 64 == 0)
			r = sd_bus_flush(display->listener);
		if (r >= 0 && sd_bus_is_open(display->listener) <= 0)
			r = -ECONNRESET;
	}
	return r;
}

/* 1: the connection is read no more, as by a QEMU that hangs or means harm. */
static int stop_reading(const struct qemu_display *display, sd_bus *bus, const char *args)
{
	return args[0] == '1' ? sd_bus_detach_event(bus)
			      : sd_bus_attach_event(bus, display->event, SD_EVENT_PRIORITY_NORMAL);
}

static int do_stop(void *userdata, const char *args)
{
	const struct qemu_display *display = userdata;

	return stop_reading(display, display->listener, args);
}

static int do_deaf(void *userdata, const char *args)
{
	const struct qemu_display *display = userdata;

	return stop_reading(display, display->main, args);
}

static int do_dump(void *userdata, const char *args)
{
	const struct qemu_display *display = userdata;

	return fs_write_atomic(args, display->pixels, (size_t)display->width * display->height * 4, 0600);
}

static int do_evict(void *userdata, const char *args)
{
	struct qemu_display *display = userdata;

	(void)args;
	display->ready = false;
	display->listener = sd_bus_close_unref(display->listener);
	return 0;
}

static int do_close(void *userdata, const char *args)
{
	(void)args;
	qemu_display_close(userdata);
	return 0;
}

const struct line_command qemu_display_commands[] = {
    {"surface", do_surface},
    {"scanout", do_scanout},
    {"fill", do_fill},
    {"pattern", do_pattern},
    {"storm", do_storm},
    {"map", do_map},
    {"seal", do_seal},
    {"follow", do_follow},
    {"shrink", do_shrink},
    {"late", do_late},
    {"overdue", do_overdue},
    {"raw-scanout", do_raw_scanout},
    {"raw-map", do_raw_map},
    {"raw-update", do_raw_update},
    {"raw-update-map", do_raw_update_map},
    {"cursor", do_cursor},
    {"mouse", do_mouse},
    {"relative", do_relative},
    {"disable", do_disable},
    {"flood", do_flood},
    {"stop", do_stop},
    {"deaf", do_deaf},
    {"dump", do_dump},
    {"evict", do_evict},
    {"close", do_close},
    {NULL, NULL},
};
