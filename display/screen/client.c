/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/screen/client.h"

#include "common/bus.h"
#include "common/cleanup.h"
#include "display/display1.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define LISTENERS_MAX 16 /* fds a display may send: one brings a listener */
#define REPLIES_MAX 1024 /* a display that leaves more of its answers unread is cut off */

struct client {
	sd_event *event;
	const struct client_ops *ops;
	void *userdata;
	struct clipboard *clipboard;
	struct display1_clipboard *peer;
	sd_bus *bus, *listener;
	sd_bus_slot *gone, *listener_gone, *pinging;
	bool ready; /* the listener has answered: an fd sent before would be waited for */
	sd_event_source *defer;
	const struct framebuffer *framebuffer;
	struct region region;
	bool show, disable; /* to be sent: a new framebuffer, the lack of one */
	struct client_cursor cursor;
	bool define_cursor;
	int mouse_x, mouse_y;
	bool mouse_on, move_mouse;
	unsigned in_flight; /* calls the display has not answered */
	bool ended;
	bool keys[DISPLAY1_QNUM_MAX];
	bool buttons[DISPLAY1_BUTTONS_MAX];
};

static void client_pump(struct client *client);

static void client_end(struct client *client)
{
	client->ended = true;
	sd_event_source_set_enabled(client->defer, SD_EVENT_ONESHOT);
}

static int client_deferred(sd_event_source *source, void *userdata)
{
	struct client *client = userdata;

	(void)source;
	if (client->ended)
		client->ops->gone(client, client->userdata);
	return 0;
}

static int client_gone(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	(void)message;
	(void)ret_error;
	client_end(userdata);
	return 0;
}

/* A display may take another listener at any time; only its main connection ends it. */
static int listener_gone(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct client *client = userdata;

	(void)message;
	(void)ret_error;
	client->ready = false;
	return 0;
}

/* A call of a listener's failed: the display refused it, or the listener is gone. */
static void call_failed(struct client *client)
{
	if (sd_bus_is_open(client->listener) > 0)
		client_end(client);
}

/* Sees each message of a display first. */
static int client_filter(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct client *client = userdata;
	uint64_t queued = 0;

	(void)ret_error;
	if (sd_bus_get_n_queued_write(sd_bus_message_get_bus(message), &queued) >= 0 && queued > REPLIES_MAX)
		client_end(client);
	return client->ended;
}

static int answered(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct client *client = userdata;

	(void)ret_error;
	if (sd_bus_message_is_method_error(reply, NULL)) {
		call_failed(client);
		return 0;
	}
	client->in_flight--;
	client_pump(client);
	return 0;
}

/* message is taken over; r: how making it went. The call is forgotten with its connection. */
static void client_call(struct client *client, sd_bus_message *message, int r)
{
	if (r >= 0)
		r = sd_bus_call_async(client->listener, NULL, message, answered, client, UINT64_MAX);
	sd_bus_message_unref(message);
	if (r < 0)
		call_failed(client);
	else
		client->in_flight++;
}

static void client_send(struct client *client, const char *interface, const char *method, const char *types, ...)
{
	sd_bus_message *message = NULL;
	va_list args;
	int r =
	    sd_bus_message_new_method_call(client->listener, &message, NULL, DISPLAY1_LISTENER_PATH, interface, method);

	va_start(args, types);
	if (r >= 0)
		r = sd_bus_message_appendv(message, types, args);
	va_end(args);
	client_call(client, message, r);
}

static void send_cursor(struct client *client)
{
	const struct client_cursor *cursor = &client->cursor;
	sd_bus_message *message = NULL;
	int r = sd_bus_message_new_method_call(client->listener, &message, NULL, DISPLAY1_LISTENER_PATH,
					       DISPLAY1_LISTENER, "CursorDefine");

	if (r >= 0)
		r = sd_bus_message_append(message, "iiii", cursor->width, cursor->height, cursor->hot_x, cursor->hot_y);
	if (r >= 0)
		r = sd_bus_message_append_array(message, 'y', cursor->argb,
						(size_t)cursor->width * (size_t)cursor->height * 4);
	client_call(client, message, r);
}

static void send_picture(struct client *client)
{
	const struct framebuffer *framebuffer = client->framebuffer;

	if (client->show) {
		region_clear(&client->region);
		client_send(client, DISPLAY1_LISTENER_MAP, "ScanoutMap", "huuuuu", framebuffer->fd, 0,
			    framebuffer->width, framebuffer->height, framebuffer->stride, FRAMEBUFFER_X8R8G8B8);
	}
	for (size_t i = 0; i < client->region.n; i++) {
		const struct region_rect *rect = &client->region.rects[i];

		client_send(client, DISPLAY1_LISTENER_MAP, "UpdateMap", "iiii", rect->x, rect->y, rect->w, rect->h);
	}
	region_clear(&client->region);
	client->show = false;
}

/* Sends what there is, unless the display still has to answer what it was sent before. */
static void client_pump(struct client *client)
{
	if (!client->ready || client->ended || client->in_flight > 0)
		return;
	if (client->disable)
		client_send(client, DISPLAY1_LISTENER, "Disable", "");
	client->disable = false;
	if (client->framebuffer)
		send_picture(client);
	if (client->define_cursor && client->cursor.argb)
		send_cursor(client);
	client->define_cursor = false;
	if (client->move_mouse)
		client_send(client, DISPLAY1_LISTENER, "MouseSet", "iii", client->mouse_x, client->mouse_y,
			    (int)client->mouse_on);
	client->move_mouse = false;
}

void client_show(struct client *client, const struct framebuffer *framebuffer)
{
	client_withdraw(client);
	client->framebuffer = framebuffer;
	client->show = framebuffer != NULL;
	client->disable = !framebuffer;
	client_pump(client);
}

void client_withdraw(struct client *client)
{
	client->framebuffer = NULL;
	client->show = false;
	region_clear(&client->region);
}

void client_damage(struct client *client, struct region_rect rect)
{
	if (!client->framebuffer || client->show)
		return;
	region_add(&client->region, rect);
	client_pump(client);
}

void client_cursor(struct client *client, const struct client_cursor *cursor)
{
	size_t size = (size_t)cursor->width * (size_t)cursor->height * 4;
	uint8_t *argb = malloc(size);

	if (!argb)
		return;
	memcpy(argb, cursor->argb, size);
	free(client->cursor.argb);
	client->cursor = *cursor;
	client->cursor.argb = argb;
	client->define_cursor = true;
	client_pump(client);
}

void client_mouse(struct client *client, int x, int y, bool on)
{
	client->mouse_x = x;
	client->mouse_y = y;
	client->mouse_on = on;
	client->move_mouse = true;
	client_pump(client);
}

static void drop_listener(struct client *client)
{
	client->ready = false;
	client->pinging = sd_bus_slot_unref(client->pinging);
	client->listener_gone = sd_bus_slot_unref(client->listener_gone);
	client->listener = sd_bus_close_unref(client->listener);
	client->in_flight = 0;
}

static int listener_answered(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct client *client = userdata;

	(void)ret_error;
	if (sd_bus_message_is_method_error(reply, NULL)) {
		call_failed(client);
		return 0;
	}
	client->ready = true;
	client->ops->listens(client, client->userdata);
	return 0;
}

static int listener_open(struct client *client, int fd)
{
	int r = bus_serve_fd_limited(client->event, fd, 0, NULL, NULL, &client->listener);

	if (r >= 0)
		r = sd_bus_add_filter(client->listener, NULL, client_filter, client);
	if (r >= 0)
		r = bus_on_disconnect(client->listener, listener_gone, client, &client->listener_gone);
	if (r >= 0)
		r = sd_bus_call_method_async(client->listener, &client->pinging, NULL, DISPLAY1_LISTENER_PATH,
					     "org.freedesktop.DBus.Peer", "Ping", listener_answered, client, "");
	return r;
}

/* The newest listener wins, as with QEMU. */
static int method_register(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct client *client = userdata;
	int fd, r = sd_bus_message_read(message, "h", &fd);

	(void)ret_error;
	if (r < 0)
		return r;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	drop_listener(client);
	r = listener_open(client, fd);
	return r < 0 ? r : sd_bus_reply_method_return(message, NULL);
}

static int method_ui_info(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct client *client = userdata;
	uint16_t width_mm, height_mm;
	uint32_t width, height;
	int x, y, r = sd_bus_message_read(message, "qqiiuu", &width_mm, &height_mm, &x, &y, &width, &height);

	(void)ret_error;
	if (r < 0)
		return r;
	client->ops->ui_info(width, height, client->userdata);
	return sd_bus_reply_method_return(message, NULL);
}

static int key_method(sd_bus_message *message, struct client *client, bool down)
{
	uint32_t key;
	int r = sd_bus_message_read(message, "u", &key);

	if (r < 0)
		return r;
	if (key >= DISPLAY1_QNUM_MAX)
		return -EINVAL;
	client->keys[key] = down;
	clipboard_input(client->clipboard, client->peer);
	client->ops->key(key, down, client->userdata);
	return sd_bus_reply_method_return(message, NULL);
}

static int method_key_press(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	return key_method(message, userdata, true);
}

static int method_key_release(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	return key_method(message, userdata, false);
}

static int button_method(sd_bus_message *message, struct client *client, bool down)
{
	uint32_t button;
	int r = sd_bus_message_read(message, "u", &button);

	if (r < 0)
		return r;
	if (button >= DISPLAY1_BUTTONS_MAX)
		return -EINVAL;
	client->buttons[button] = down;
	clipboard_input(client->clipboard, client->peer);
	client->ops->button(button, down, client->userdata);
	return sd_bus_reply_method_return(message, NULL);
}

static int method_button_press(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	return button_method(message, userdata, true);
}

static int method_button_release(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	return button_method(message, userdata, false);
}

static int method_position(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct client *client = userdata;
	uint32_t x, y;
	int r = sd_bus_message_read(message, "uu", &x, &y);

	(void)ret_error;
	if (r < 0)
		return r;
	client->ops->position(x, y, client->userdata);
	return sd_bus_reply_method_return(message, NULL);
}

static int method_motion(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct client *client = userdata;
	int dx, dy, r = sd_bus_message_read(message, "ii", &dx, &dy);

	(void)ret_error;
	if (r < 0)
		return r;
	client->ops->motion(dx, dy, client->userdata);
	return sd_bus_reply_method_return(message, NULL);
}

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *property,
			sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	const struct client *client = userdata;
	const struct framebuffer *framebuffer = client->framebuffer;

	(void)bus, (void)path, (void)interface, (void)ret_error;
	if (strcmp(property, "Width") == 0)
		return sd_bus_message_append(reply, "u", framebuffer ? framebuffer->width : 0);
	if (strcmp(property, "Height") == 0)
		return sd_bus_message_append(reply, "u", framebuffer ? framebuffer->height : 0);
	if (strcmp(property, "Label") == 0)
		return sd_bus_message_append(reply, "s", "hotdesk");
	if (strcmp(property, "Type") == 0)
		return sd_bus_message_append(reply, "s", "Graphic");
	if (strcmp(property, "IsAbsolute") == 0)
		return sd_bus_message_append(reply, "b", 1);
	return sd_bus_message_append(reply, "u", 0); /* Head, Modifiers */
}

static const sd_bus_vtable console_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("RegisterListener", "h", "", method_register, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetUIInfo", "qqiiuu", "", method_ui_info, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("Label", "s", get_property, 0, 0),
    SD_BUS_PROPERTY("Head", "u", get_property, 0, 0),
    SD_BUS_PROPERTY("Type", "s", get_property, 0, 0),
    SD_BUS_PROPERTY("Width", "u", get_property, 0, 0),
    SD_BUS_PROPERTY("Height", "u", get_property, 0, 0),
    SD_BUS_VTABLE_END,
};

static const sd_bus_vtable keyboard_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Press", "u", "", method_key_press, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Release", "u", "", method_key_release, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("Modifiers", "u", get_property, 0, 0),
    SD_BUS_VTABLE_END,
};

static const sd_bus_vtable mouse_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Press", "u", "", method_button_press, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Release", "u", "", method_button_release, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetAbsPosition", "uu", "", method_position, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("RelMotion", "ii", "", method_motion, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("IsAbsolute", "b", get_property, 0, 0),
    SD_BUS_VTABLE_END,
};

static int client_setup(sd_bus *bus, void *userdata)
{
	struct client *client = userdata;
	int r = sd_bus_add_filter(bus, NULL, client_filter, userdata);

	if (r >= 0)
		r = sd_bus_add_object_vtable(bus, NULL, DISPLAY1_CONSOLE_PATH, DISPLAY1_CONSOLE, console_vtable,
					     userdata);
	if (r >= 0)
		r = sd_bus_add_object_vtable(bus, NULL, DISPLAY1_CONSOLE_PATH, DISPLAY1_KEYBOARD, keyboard_vtable,
					     userdata);
	if (r >= 0)
		r = sd_bus_add_object_vtable(bus, NULL, DISPLAY1_CONSOLE_PATH, DISPLAY1_MOUSE, mouse_vtable, userdata);
	if (r >= 0)
		r = display1_clipboard_new(bus, true, &clipboard_display_ops, client->clipboard, &client->peer);
	return r;
}

int client_new(sd_event *event, int fd, struct clipboard *clipboard, const struct client_ops *ops, void *userdata,
	       struct client **ret)
{
	struct client *client = calloc(1, sizeof(*client));
	int r;

	if (!client) {
		close(fd);
		return -ENOMEM;
	}
	client->event = sd_event_ref(event);
	client->clipboard = clipboard;
	client->ops = ops;
	client->userdata = userdata;
	r = bus_serve_fd_limited(event, fd, LISTENERS_MAX, client_setup, client, &client->bus);
	if (r >= 0)
		r = bus_on_disconnect(client->bus, client_gone, client, &client->gone);
	if (r >= 0)
		r = sd_event_add_defer(event, &client->defer, client_deferred, client);
	if (r >= 0)
		r = sd_event_source_set_enabled(client->defer, SD_EVENT_OFF);
	if (r < 0) {
		client_free(client);
		return r;
	}
	*ret = client;
	return 0;
}

bool client_holds_key(const struct client *client, uint32_t key)
{
	return client->keys[key];
}

bool client_holds_button(const struct client *client, uint32_t button)
{
	return client->buttons[button];
}

static void release_all(struct client *client)
{
	for (uint32_t key = 0; key < DISPLAY1_QNUM_MAX; key++)
		if (client->keys[key])
			client->ops->key(key, false, client->userdata);
	for (uint32_t button = 0; button < DISPLAY1_BUTTONS_MAX; button++)
		if (client->buttons[button])
			client->ops->button(button, false, client->userdata);
}

void client_free(struct client *client)
{
	if (!client)
		return;
	release_all(client);
	sd_event_source_disable_unref(client->defer);
	drop_listener(client);
	if (client->peer)
		clipboard_forget(client->clipboard, client->peer);
	display1_clipboard_free(client->peer);
	sd_bus_slot_unref(client->gone);
	sd_bus_close_unref(client->bus);
	free(client->cursor.argb);
	sd_event_unref(client->event);
	free(client);
}
