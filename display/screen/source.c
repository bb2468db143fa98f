/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/screen/source.h"

#include "common/bus.h"
#include "common/log.h"
#include "display/display1.h"
#include "display/display1_listen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PROPERTIES "org.freedesktop.DBus.Properties"
#define QUEUE_MOTION_MAX 64 /* unsent messages above which a motion is left out */
#define QUEUE_MAX 4096      /* unsent messages or answers above which QEMU is taken for dead */

struct map {
	void *address;
	size_t size;
	const uint8_t *pixels;
	uint32_t stride;
};

struct source {
	sd_event *event;
	const struct source_ops *ops;
	void *userdata;
	sd_bus *bus;
	sd_bus_slot *gone;
	struct display1_listener *listener;
	sd_event_source *defer;          /* re-registering or giving up, outside of the listener's handlers */
	struct framebuffer *framebuffer; /* the screen's; NULL before the first scanout */
	struct map map;
	bool relisten, lost;
	bool relative; /* QEMU's mouse takes no positions */
};

static void map_clear(struct map *map)
{
	if (map->address)
		munmap(map->address, map->size);
	*map = (struct map){0};
}

static void source_defer(struct source *source)
{
	sd_event_source_set_enabled(source->defer, SD_EVENT_ONESHOT);
}

static void source_give_up(struct source *source)
{
	source->lost = true;
	source_defer(source);
}

static int source_gone(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	(void)message;
	(void)ret_error;
	source_give_up(userdata);
	return 0;
}

/* Sees each message of QEMU's first. */
static int source_filter(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct source *source = userdata;
	uint64_t queued = 0;

	(void)ret_error;
	if (sd_bus_get_n_queued_write(sd_bus_message_get_bus(message), &queued) >= 0 && queued > QUEUE_MAX)
		source_give_up(source);
	return source->lost;
}

/* QEMU closes a listener's connection when another is registered or the console went: the main connection decides. */
static void listener_gone(void *userdata)
{
	struct source *source = userdata;

	source->relisten = true;
	source_defer(source);
}

static void listener_failed(const char *why, void *userdata)
{
	log_warning("QEMU takes no listener: %s", why);
	source_give_up(userdata);
}

static int trap(struct source *source, const char *why)
{
	log_info("registering again: %s", why);
	source->relisten = true;
	source_defer(source);
	return 0;
}

/* The same framebuffer goes on where the size stays. */
static int source_resize(struct source *source, uint32_t width, uint32_t height)
{
	if (!source->framebuffer || source->framebuffer->width != (int)width ||
	    source->framebuffer->height != (int)height)
		source->framebuffer = source->ops->resized((int)width, (int)height, source->userdata);
	return source->framebuffer ? 0 : -ENOMEM;
}

static int refuse(struct source *source, int r, const char *what)
{
	log_warning("QEMU sent a %s that cannot be shown: %s", what, strerror(-r));
	source_give_up(source);
	return r;
}

/*
 * Pixels came inline. Where memory was shared before, QEMU may have got that answer too late (1 s), and then shares no
 * more with this listener: a new one is asked again. It has no map, so a surface that cannot be shared ends this.
 */
static int inline_done(struct source *source)
{
	if (!source->map.address)
		return 0;
	map_clear(&source->map);
	return trap(source, "shared memory was given up");
}

static int on_scanout(uint32_t width, uint32_t height, const struct display1_pixels *pixels, void *userdata)
{
	struct source *source = userdata;
	struct region_rect all = {0, 0, (int)width, (int)height};
	int r = framebuffer_check(width, height, pixels->stride, pixels->format, pixels->size);

	if (r >= 0)
		r = source_resize(source, width, height);
	if (r < 0)
		return refuse(source, r, "Scanout");
	framebuffer_copy(source->framebuffer, all, pixels->data, pixels->stride);
	source->ops->damaged(all, source->userdata);
	return inline_done(source);
}

static bool inside(const struct source *source, const struct display1_rect *rect)
{
	return source->framebuffer && framebuffer_inside(source->framebuffer->width, source->framebuffer->height,
							 rect->x, rect->y, rect->w, rect->h);
}

static int on_update(const struct display1_rect *rect, const struct display1_pixels *pixels, void *userdata)
{
	struct source *source = userdata;
	struct region_rect damage = {rect->x, rect->y, rect->w, rect->h};
	int r;

	/* QEMU 7.2 may do this after a change of size, without a Scanout before. */
	if (!inside(source, rect))
		return trap(source, "an update lies outside of the picture");
	r = framebuffer_check((uint32_t)rect->w, (uint32_t)rect->h, pixels->stride, pixels->format, pixels->size);
	if (r < 0)
		return refuse(source, r, "Update");
	framebuffer_copy(source->framebuffer, damage, pixels->data, pixels->stride);
	source->ops->damaged(damage, source->userdata);
	return inline_done(source);
}

/* The fd may be writable by others and shrink at any time: the size is checked here, faults are caught at each copy. */
static int map_new(int fd, uint32_t offset, uint32_t height, uint32_t stride, uint32_t width, uint32_t format,
		   struct map *ret)
{
	struct map map = {.stride = stride};
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < 0 || offset > (uint64_t)st.st_size)
		return -EINVAL;
	r = framebuffer_check(width, height, stride, format, (uint64_t)st.st_size - offset);
	if (r < 0)
		return r;
	map.size = offset + (size_t)stride * (height - 1) + (size_t)width * 4;
	map.address = mmap(NULL, map.size, PROT_READ, MAP_SHARED, fd, 0);
	if (map.address == MAP_FAILED)
		return -errno;
	map.pixels = (const uint8_t *)map.address + offset;
	*ret = map;
	return 0;
}

/* Returns false after a fault; the map is dropped then. */
static bool map_copy(struct source *source, struct region_rect rect)
{
	const struct map *map = &source->map;

	if (framebuffer_copy(source->framebuffer, rect, map->pixels + (size_t)rect.y * map->stride + (size_t)rect.x * 4,
			     map->stride) < 0) {
		map_clear(&source->map);
		return false;
	}
	source->ops->damaged(rect, source->userdata);
	return true;
}

static int on_scanout_map(int fd, uint32_t offset, uint32_t width, uint32_t height, uint32_t stride, uint32_t format,
			  void *userdata)
{
	struct source *source = userdata;
	struct map map = {0};
	int r = map_new(fd, offset, height, stride, width, format, &map);

	if (r >= 0)
		r = source_resize(source, width, height);
	map_clear(&source->map);
	if (r < 0) {
		/* QEMU sends pixels inline then, on the same listener: that is no trap. */
		map_clear(&map);
		return r;
	}
	source->map = map;
	if (!map_copy(source, (struct region_rect){0, 0, (int)width, (int)height}))
		return trap(source, "the shared picture was cut short");
	return 0;
}

static int on_update_map(const struct display1_rect *rect, void *userdata)
{
	struct source *source = userdata;

	if (!source->map.address || !inside(source, rect))
		return trap(source, "an update lies outside of the shared picture");
	if (!map_copy(source, (struct region_rect){rect->x, rect->y, rect->w, rect->h}))
		return trap(source, "the shared picture was cut short");
	return 0;
}

static int on_disable(void *userdata)
{
	struct source *source = userdata;

	map_clear(&source->map);
	source->framebuffer = NULL;
	source->ops->disabled(source->userdata);
	return 0;
}

static int on_mouse(int32_t x, int32_t y, bool on, void *userdata)
{
	const struct source *source = userdata;

	source->ops->mouse(x, y, on, source->userdata);
	return 0;
}

static int on_cursor(int32_t width, int32_t height, int32_t hot_x, int32_t hot_y, const void *argb, size_t size,
		     void *userdata)
{
	const struct source *source = userdata;

	if (display1_cursor_valid(width, height, hot_x, hot_y, size))
		source->ops->cursor(width, height, hot_x, hot_y, argb, source->userdata);
	return 0;
}

static const struct display1_listener_ops listener_ops = {
    .scanout = on_scanout,
    .update = on_update,
    .scanout_map = on_scanout_map,
    .update_map = on_update_map,
    .disable = on_disable,
    .mouse = on_mouse,
    .cursor = on_cursor,
    .filter = source_filter,
    .gone = listener_gone,
    .failed = listener_failed,
};

static int source_listen(struct source *source)
{
	map_clear(&source->map);
	return display1_listener_register(source->listener);
}

static int source_deferred(sd_event_source *event_source, void *userdata)
{
	struct source *source = userdata;

	(void)event_source;
	if (!source->lost && source->relisten) {
		source->relisten = false;
		if (source_listen(source) < 0)
			source->lost = true;
	}
	if (source->lost)
		source->ops->lost(source->userdata);
	return 0;
}

/* What QEMU says of its mouse; an answer that cannot be read changes nothing. */
static int read_mode(struct source *source, sd_bus_message *message)
{
	int absolute, r = sd_bus_message_read(message, "v", "b", &absolute);

	if (r >= 0)
		source->relative = !absolute;
	return r;
}

static int on_mode(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	if (!sd_bus_message_is_method_error(reply, NULL))
		read_mode(userdata, reply);
	return 0;
}

static int on_properties(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const char *name;
	int r = sd_bus_message_read(message, "s", &name);

	(void)ret_error;
	if (r < 0 || strcmp(name, DISPLAY1_MOUSE) != 0)
		return 0;
	r = sd_bus_message_enter_container(message, 'a', "{sv}");
	while (r >= 0 && sd_bus_message_enter_container(message, 'e', "sv") > 0) {
		r = sd_bus_message_read(message, "s", &name);
		if (r >= 0)
			r = strcmp(name, DISPLAY1_IS_ABSOLUTE) == 0 ? read_mode(userdata, message)
								    : sd_bus_message_skip(message, "v");
		if (r >= 0)
			r = sd_bus_message_exit_container(message);
	}
	return 0;
}

static int source_ask_mode(struct source *source)
{
	int r = sd_bus_match_signal(source->bus, NULL, NULL, DISPLAY1_CONSOLE_PATH, PROPERTIES, "PropertiesChanged",
				    on_properties, source);

	if (r < 0)
		return r;
	return sd_bus_call_method_async(source->bus, NULL, NULL, DISPLAY1_CONSOLE_PATH, PROPERTIES, "Get", on_mode,
					source, "ss", DISPLAY1_MOUSE, DISPLAY1_IS_ABSOLUTE);
}

int source_new(sd_event *event, int fd, const struct source_ops *ops, void *userdata, struct source **ret)
{
	struct source *source = calloc(1, sizeof(*source));
	int r;

	if (!source) {
		close(fd);
		return -ENOMEM;
	}
	source->event = sd_event_ref(event);
	source->ops = ops;
	source->userdata = userdata;
	r = bus_client_fd(event, fd, &source->bus);
	if (r >= 0)
		r = bus_on_disconnect(source->bus, source_gone, source, &source->gone);
	if (r >= 0)
		r = sd_event_add_defer(event, &source->defer, source_deferred, source);
	if (r >= 0)
		r = sd_event_source_set_enabled(source->defer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_bus_add_filter(source->bus, NULL, source_filter, source);
	if (r >= 0)
		r = source_ask_mode(source);
	if (r >= 0)
		r = display1_listener_new(event, source->bus, &listener_ops, source, &source->listener);
	if (r < 0) {
		source_free(source);
		return r;
	}
	*ret = source;
	return 0;
}

void source_free(struct source *source)
{
	if (!source)
		return;
	sd_event_source_disable_unref(source->defer);
	display1_listener_free(source->listener);
	map_clear(&source->map);
	sd_bus_slot_unref(source->gone);
	sd_bus_close_unref(source->bus);
	sd_event_unref(source->event);
	free(source);
}

sd_bus *source_bus(struct source *source)
{
	return source->bus;
}

/* How many messages QEMU has not taken yet. */
static uint64_t source_queued(struct source *source)
{
	uint64_t queued = 0;

	return sd_bus_get_n_queued_write(source->bus, &queued) < 0 ? 0 : queued;
}

static void source_send(struct source *source, const char *interface, const char *method, const char *types, ...)
{
	sd_bus_message *message = NULL;
	va_list args;
	int r;

	if (source->lost)
		return;
	r = sd_bus_message_new_method_call(source->bus, &message, NULL, DISPLAY1_CONSOLE_PATH, interface, method);
	va_start(args, types);
	if (r >= 0)
		r = sd_bus_message_appendv(message, types, args);
	va_end(args);
	if (r >= 0)
		r = sd_bus_message_set_expect_reply(message, 0);
	if (r >= 0)
		r = sd_bus_send(source->bus, message, NULL);
	sd_bus_message_unref(message);
	if (r < 0 || source_queued(source) > QUEUE_MAX)
		source_give_up(source);
}

void source_key(struct source *source, uint32_t key, bool down)
{
	source_send(source, DISPLAY1_KEYBOARD, down ? "Press" : "Release", "u", key);
}

void source_button(struct source *source, uint32_t button, bool down)
{
	source_send(source, DISPLAY1_MOUSE, down ? "Press" : "Release", "u", button);
}

void source_position(struct source *source, uint32_t x, uint32_t y)
{
	if (source_queued(source) < QUEUE_MOTION_MAX)
		source_send(source, DISPLAY1_MOUSE, "SetAbsPosition", "uu", x, y);
}

void source_motion(struct source *source, int dx, int dy)
{
	if (source_queued(source) < QUEUE_MOTION_MAX)
		source_send(source, DISPLAY1_MOUSE, "RelMotion", "ii", dx, dy);
}

bool source_is_absolute(const struct source *source)
{
	return !source->relative;
}

/* Of 96 pixels an inch, as QEMU itself reckons where it is told nothing. */
static uint32_t pixels_mm(uint32_t pixels)
{
	return pixels * 254 / 960;
}

void source_ui_info(struct source *source, uint32_t width, uint32_t height, bool millimetres)
{
	uint32_t width_mm = millimetres ? pixels_mm(width) : 0, height_mm = millimetres ? pixels_mm(height) : 0;

	source_send(source, DISPLAY1_CONSOLE, "SetUIInfo", "qqiiuu", width_mm, height_mm, 0, 0, width, height);
}
