/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/source.h"

#include "common/bus.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "display/display1.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BUTTONS 5       /* QEMU: left, middle, right, wheel up, wheel down; RFB has them in the same order */
#define ECHOES 32       /* of our own positions, which the guest reports back */
#define QUEUE_MOTION 64 /* messages waiting above which motion is only remembered */
#define QUEUE_MAX 8192  /* above which the peer is given up */
#define FLUSH_USEC 100000
#define FLUSH_TRIES 20

struct source {
	sd_event *event;
	struct surface *surface;
	const struct source_ops *ops;
	void *userdata;
	sd_bus *bus, *listener;
	sd_bus_slot *gone, *listener_gone, *connecting, *registering;
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

static int source_listen(struct source *source);

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

static int refused(sd_bus_error *ret_error, int r, const char *what)
{
	return sd_bus_error_set_errnof(ret_error, r, "%s: %s", what, strerror(-r));
}

static void copy_lines(struct pixels *to, int x, int y, int w, int h, const uint8_t *data, size_t stride)
{
	for (int line = 0; line < h; line++)
		memcpy(to->data + (size_t)(y + line) * to->stride + (size_t)x * 4, data + (size_t)line * stride,
		       (size_t)w * 4);
}

static int on_scanout(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct source *source = userdata;
	uint32_t width, height, stride, format;
	struct pixels *own = source->own;
	const void *data;
	size_t size;
	int r = sd_bus_message_read(message, "uuuu", &width, &height, &stride, &format);

	if (r >= 0)
		r = sd_bus_message_read_array(message, 'y', &data, &size);
	if (r >= 0)
		r = pixels_check(width, height, stride, format, size);
	if (r < 0)
		return refused(ret_error, r, "Scanout");
	if (!own || source->current != own || own->width != (int)width || own->height != (int)height) {
		r = pixels_new(width, height, &own);
		if (r < 0)
			return refused(ret_error, r, "Scanout");
		pixels_unref(source->own);
		source->own = pixels_ref(own);
		copy_lines(own, 0, 0, (int)width, (int)height, data, stride);
		source_show(source, own);
	} else {
		copy_lines(own, 0, 0, (int)width, (int)height, data, stride);
		surface_damage(source->surface, (struct rect){0, 0, (int)width, (int)height});
		source_pictured(source);
	}
	return sd_bus_reply_method_return(message, NULL);
}

static bool inside(const struct pixels *pixels, int32_t x, int32_t y, int32_t w, int32_t h)
{
	return pixels && x >= 0 && y >= 0 && w > 0 && h > 0 && w <= pixels->width && h <= pixels->height &&
	       x <= pixels->width - w && y <= pixels->height - h;
}

static int on_update(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct source *source = userdata;
	uint32_t stride, format;
	int32_t x, y, w, h;
	const void *data;
	size_t size;
	int r = sd_bus_message_read(message, "iiiiuu", &x, &y, &w, &h, &stride, &format);

	if (r >= 0)
		r = sd_bus_message_read_array(message, 'y', &data, &size);
	if (r < 0)
		return refused(ret_error, r, "Update");
	if (source->current != source->own || !inside(source->own, x, y, w, h)) {
		/* QEMU 7.2 may do this after a change of size: registering again brings a whole picture. */
		r = source_listen(source);
		return r < 0 ? r : 1;
	}
	r = pixels_check((uint32_t)w, (uint32_t)h, stride, format, size);
	if (r < 0)
		return refused(ret_error, r, "Update");
	copy_lines(source->own, x, y, w, h, data, stride);
	surface_damage(source->surface, (struct rect){x, y, w, h});
	return sd_bus_reply_method_return(message, NULL);
}

static int on_scanout_map(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct source *source = userdata;
	uint32_t offset, width, height, stride, format;
	struct pixels *pixels;
	int fd, r = sd_bus_message_read(message, "huuuuu", &fd, &offset, &width, &height, &stride, &format);

	if (r >= 0)
		r = pixels_map(fd, offset, width, height, stride, format, &pixels);
	if (r < 0)
		return refused(ret_error, r, "ScanoutMap");
	source_show(source, pixels);
	return sd_bus_reply_method_return(message, NULL);
}

static int on_update_map(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct source *source = userdata;
	int32_t x, y, w, h;
	int r = sd_bus_message_read(message, "iiii", &x, &y, &w, &h);

	if (r < 0)
		return refused(ret_error, r, "UpdateMap");
	if (w > 0 && h > 0)
		surface_damage(source->surface, (struct rect){x, y, w, h});
	return sd_bus_reply_method_return(message, NULL);
}

static int on_disable(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct source *source = userdata;

	(void)ret_error;
	pixels_unref(source->current);
	source->current = NULL;
	source->pictured = false;
	source->ops->disabled(source->userdata);
	return sd_bus_reply_method_return(message, NULL);
}

static bool is_echo(const struct source *source, int x, int y)
{
	for (unsigned i = 0; i < ECHOES && i < source->n_sent; i++)
		if (abs(source->sent[i].x - x) <= 1 && abs(source->sent[i].y - y) <= 1)
			return true;
	return false;
}

static int on_mouse_set(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct source *source = userdata;
	int32_t x, y, on;
	int r = sd_bus_message_read(message, "iii", &x, &y, &on);

	if (r < 0 || abs(x) > UINT16_MAX || abs(y) > UINT16_MAX)
		return refused(ret_error, r < 0 ? r : -EINVAL, "MouseSet");
	surface_move_pointer(source->surface, x, y, on != 0, !is_echo(source, x, y));
	return sd_bus_reply_method_return(message, NULL);
}

static int on_cursor(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct source *source = userdata;
	int32_t width, height, hot_x, hot_y;
	struct cursor *cursor;
	const void *data;
	size_t size;
	int r = sd_bus_message_read(message, "iiii", &width, &height, &hot_x, &hot_y);

	if (r >= 0)
		r = sd_bus_message_read_array(message, 'y', &data, &size);
	if (r >= 0)
		r = cursor_new(width, height, hot_x, hot_y, data, size, &cursor);
	if (r < 0)
		return refused(ret_error, r, "CursorDefine");
	surface_set_cursor(source->surface, cursor);
	return sd_bus_reply_method_return(message, NULL);
}

static int get_interfaces(sd_bus *bus, const char *path, const char *interface, const char *property,
			  sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	(void)bus;
	(void)path;
	(void)interface;
	(void)property;
	(void)userdata;
	(void)ret_error;
	return sd_bus_message_append(reply, "as", 1, DISPLAY1_LISTENER_MAP);
}

static const sd_bus_vtable listener_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Scanout", "uuuuay", "", on_scanout, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Update", "iiiiuuay", "", on_update, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Disable", "", "", on_disable, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("MouseSet", "iii", "", on_mouse_set, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("CursorDefine", "iiiiay", "", on_cursor, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("Interfaces", "as", get_interfaces, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_VTABLE_END,
};

static const sd_bus_vtable map_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("ScanoutMap", "huuuuu", "", on_scanout_map, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("UpdateMap", "iiii", "", on_update_map, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static int on_registered(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	if (!sd_bus_message_is_method_error(reply, NULL))
		return 0;
	log_warning("the desktop's display refused a listener: %s", sd_bus_message_get_error(reply)->message);
	source_lost(userdata);
	return 0;
}

static int on_pong(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	(void)reply;
	(void)userdata;
	(void)ret_error;
	return 0;
}

static int source_make_listener(struct source *source, int fd)
{
	int r = bus_client_fd(source->event, fd, &source->listener);

	if (r >= 0)
		r = sd_bus_add_object_vtable(source->listener, NULL, DISPLAY1_LISTENER_PATH, DISPLAY1_LISTENER,
					     listener_vtable, source);
	if (r >= 0)
		r = sd_bus_add_object_vtable(source->listener, NULL, DISPLAY1_LISTENER_PATH, DISPLAY1_LISTENER_MAP,
					     map_vtable, source);
	if (r >= 0)
		r = bus_on_disconnect(source->listener, source_gone, source, &source->listener_gone);
	/*
	 * What the peer says in one breath with its half of the authentication is read with it, and sd-bus looks at it
	 * only when more comes: an answer of the peer's makes sure that something does.
	 */
	if (r >= 0)
		r = sd_bus_call_method_async(source->listener, NULL, NULL, DISPLAY1_LISTENER_PATH,
					     "org.freedesktop.DBus.Peer", "Ping", on_pong, NULL, NULL);
	return r;
}

static void source_drop_listener(struct source *source)
{
	source->registering = sd_bus_slot_unref(source->registering);
	source->listener_gone = sd_bus_slot_unref(source->listener_gone);
	source->listener = sd_bus_close_unref(source->listener);
}

/* The listener is started before it is registered: QEMU authenticates it inside the call, in its main loop. */
static int source_listen(struct source *source)
{
	_cleanup_close_ int theirs = -1;
	int pair[2], r;

	source_drop_listener(source);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	r = source_make_listener(source, pair[0]);
	if (r < 0)
		return r;
	return sd_bus_call_method_async(source->bus, &source->registering, NULL, DISPLAY1_CONSOLE_PATH,
					DISPLAY1_CONSOLE, "RegisterListener", on_registered, source, "h", theirs);
}

static int on_connected(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct source *source = userdata;

	(void)ret_error;
	if (sd_bus_message_is_method_error(reply, NULL) || source_listen(source) < 0)
		source_lost(source);
	return 0;
}

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
	/* sd-bus waits when it is given an fd before the peer has answered: the listener comes after a first answer. */
	if (r >= 0)
		r = sd_bus_call_method_async(source->bus, &source->connecting, NULL, DISPLAY1_CONSOLE_PATH,
					     "org.freedesktop.DBus.Peer", "Ping", on_connected, source, NULL);
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

static void source_flush(struct source *source)
{
	for (unsigned i = 0; i < FLUSH_TRIES && !source->lost && source_queued(source) > 0; i++)
		if (sd_bus_wait(source->bus, FLUSH_USEC / FLUSH_TRIES) < 0 || sd_bus_process(source->bus, NULL) < 0)
			return;
}

void source_free(struct source *source)
{
	if (!source)
		return;
	if (source->bus && !source->lost) {
		source->closing = true;
		source_release_all(source);
		source_flush(source);
	}
	source_drop_listener(source);
	sd_bus_slot_unref(source->connecting);
	sd_bus_slot_unref(source->gone);
	sd_bus_close_unref(source->bus);
	pixels_unref(source->own);
	pixels_unref(source->current);
	sd_event_unref(source->event);
	free(source);
}
