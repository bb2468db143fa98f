/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/display1_listen.h"

#include "common/bus.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "display/display1.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define REGISTERS_MAX 50 /* in a second */

struct display1_listener {
	sd_event *event;
	sd_bus *bus, *own;
	sd_bus_slot *gone, *asking; /* Ping, then RegisterListener */
	const struct display1_listener_ops *ops;
	void *userdata;
	uint64_t second;
	unsigned in_second;
};

/* r: what reading a message came to, and what its operation then returned. */
static int answer(sd_bus_message *message, int r, sd_bus_error *ret_error)
{
	if (r < 0)
		return sd_bus_error_set_errnof(ret_error, r, "%s: %s", sd_bus_message_get_member(message),
					       strerror(-r));
	return r > 0 ? 1 : sd_bus_reply_method_return(message, NULL);
}

static int read_pixels(sd_bus_message *message, struct display1_pixels *pixels)
{
	int r = sd_bus_message_read(message, "uu", &pixels->stride, &pixels->format);

	return r < 0 ? r : sd_bus_message_read_array(message, 'y', &pixels->data, &pixels->size);
}

static int read_rect(sd_bus_message *message, struct display1_rect *rect)
{
	return sd_bus_message_read(message, "iiii", &rect->x, &rect->y, &rect->w, &rect->h);
}

static int on_scanout(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const struct display1_listener *listener = userdata;
	struct display1_pixels pixels;
	uint32_t width, height;
	int r = sd_bus_message_read(message, "uu", &width, &height);

	if (r >= 0)
		r = read_pixels(message, &pixels);
	if (r >= 0)
		r = listener->ops->scanout(width, height, &pixels, listener->userdata);
	return answer(message, r, ret_error);
}

static int on_update(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const struct display1_listener *listener = userdata;
	struct display1_pixels pixels;
	struct display1_rect rect;
	int r = read_rect(message, &rect);

	if (r >= 0)
		r = read_pixels(message, &pixels);
	if (r >= 0)
		r = listener->ops->update(&rect, &pixels, listener->userdata);
	return answer(message, r, ret_error);
}

static int on_scanout_map(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const struct display1_listener *listener = userdata;
	uint32_t offset, width, height, stride, format;
	int fd, r = sd_bus_message_read(message, "huuuuu", &fd, &offset, &width, &height, &stride, &format);

	if (r >= 0)
		r = listener->ops->scanout_map(fd, offset, width, height, stride, format, listener->userdata);
	return answer(message, r, ret_error);
}

static int on_update_map(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const struct display1_listener *listener = userdata;
	struct display1_rect rect;
	int r = read_rect(message, &rect);

	if (r >= 0)
		r = listener->ops->update_map(&rect, listener->userdata);
	return answer(message, r, ret_error);
}

static int on_disable(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const struct display1_listener *listener = userdata;

	return answer(message, listener->ops->disable(listener->userdata), ret_error);
}

static int on_mouse_set(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const struct display1_listener *listener = userdata;
	int32_t x, y, on;
	int r = sd_bus_message_read(message, "iii", &x, &y, &on);

	if (r >= 0)
		r = listener->ops->mouse(x, y, on != 0, listener->userdata);
	return answer(message, r, ret_error);
}

static int on_cursor(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const struct display1_listener *listener = userdata;
	int32_t width, height, hot_x, hot_y;
	const void *argb;
	size_t size;
	int r = sd_bus_message_read(message, "iiii", &width, &height, &hot_x, &hot_y);

	if (r >= 0)
		r = sd_bus_message_read_array(message, 'y', &argb, &size);
	if (r >= 0)
		r = listener->ops->cursor(width, height, hot_x, hot_y, argb, size, listener->userdata);
	return answer(message, r, ret_error);
}

static int get_interfaces(sd_bus *bus, const char *path, const char *interface, const char *property,
			  sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	(void)bus, (void)path, (void)interface, (void)property, (void)userdata, (void)ret_error;
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

static int on_gone(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const struct display1_listener *listener = userdata;

	(void)message;
	(void)ret_error;
	listener->ops->gone(listener->userdata);
	return 0;
}

static int on_registered(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	const struct display1_listener *listener = userdata;

	(void)ret_error;
	if (sd_bus_message_is_method_error(reply, NULL))
		listener->ops->failed(sd_bus_message_get_error(reply)->message, listener->userdata);
	return 0;
}

static int on_pong(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct display1_listener *listener = userdata;
	int r;

	if (sd_bus_message_is_method_error(reply, NULL))
		return on_registered(reply, userdata, ret_error);
	r = display1_listener_register(listener);
	if (r < 0)
		listener->ops->failed(strerror(-r), listener->userdata);
	return 0;
}

static void drop_own(struct display1_listener *listener)
{
	listener->asking = sd_bus_slot_unref(listener->asking);
	listener->gone = sd_bus_slot_unref(listener->gone);
	listener->own = sd_bus_close_unref(listener->own);
}

static int serve_own(struct display1_listener *listener, int fd)
{
	int r = bus_client_fd(listener->event, fd, &listener->own);

	if (r >= 0 && listener->ops->filter)
		r = sd_bus_add_filter(listener->own, NULL, listener->ops->filter, listener->userdata);
	if (r >= 0)
		r = sd_bus_add_object_vtable(listener->own, NULL, DISPLAY1_LISTENER_PATH, DISPLAY1_LISTENER,
					     listener_vtable, listener);
	if (r >= 0)
		r = sd_bus_add_object_vtable(listener->own, NULL, DISPLAY1_LISTENER_PATH, DISPLAY1_LISTENER_MAP,
					     map_vtable, listener);
	if (r >= 0)
		r = bus_on_disconnect(listener->own, on_gone, listener, &listener->gone);
	return r;
}

static bool too_often(struct display1_listener *listener)
{
	uint64_t second = clock_usec() / 1000000;

	if (second != listener->second) {
		listener->second = second;
		listener->in_second = 0;
	}
	return ++listener->in_second > REGISTERS_MAX;
}

/* It is started before it is registered: QEMU authenticates it inside the call, in its main loop. */
int display1_listener_register(struct display1_listener *listener)
{
	_cleanup_close_ int theirs = -1;
	int ends[2], r;

	if (too_often(listener))
		return -EBUSY;
	drop_own(listener);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	theirs = ends[1];
	r = serve_own(listener, ends[0]);
	if (r >= 0)
		r = sd_bus_call_method_async(listener->bus, &listener->asking, NULL, DISPLAY1_CONSOLE_PATH,
					     DISPLAY1_CONSOLE, "RegisterListener", on_registered, listener, "h",
					     theirs);
	return r < 0 ? r : 0;
}

int display1_listener_new(sd_event *event, sd_bus *bus, const struct display1_listener_ops *ops, void *userdata,
			  struct display1_listener **ret)
{
	struct display1_listener *listener = calloc(1, sizeof(*listener));
	int r;

	if (!listener)
		return -ENOMEM;
	listener->event = sd_event_ref(event);
	listener->bus = bus;
	listener->ops = ops;
	listener->userdata = userdata;
	/* sd-bus waits when it is given an fd before the peer has answered. */
	r = sd_bus_call_method_async(bus, &listener->asking, NULL, DISPLAY1_CONSOLE_PATH, "org.freedesktop.DBus.Peer",
				     "Ping", on_pong, listener, "");
	if (r < 0) {
		display1_listener_free(listener);
		return r;
	}
	*ret = listener;
	return 0;
}

void display1_listener_free(struct display1_listener *listener)
{
	if (!listener)
		return;
	drop_own(listener);
	sd_event_unref(listener->event);
	free(listener);
}
