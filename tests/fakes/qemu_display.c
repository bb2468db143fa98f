/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/fakes/qemu_display.h"

#include "common/bus.h"
#include "common/cleanup.h"
#include "display/display1.h"
#include "tests/fakes/lines.h"
#include "tests/fakes/qemu_audio.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#define FOLLOWED_COLOUR 0x336699u

int qemu_display_surface(struct qemu_display *display, uint32_t width, uint32_t height)
{
	size_t size = (size_t)width * height * 4;

	free(display->pixels);
	closep(&display->fd);
	display->pixels = calloc(1, size);
	display->fd = memfd_create("surface", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	display->width = width;
	display->height = height;
	display->shrunk = false;
	if (!display->pixels || display->fd < 0 || ftruncate(display->fd, (off_t)size) < 0)
		return -ENOMEM;
	return display->sealed && fcntl(display->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0 ? -errno : 0;
}

int qemu_display_shrink(struct qemu_display *display, uint64_t size)
{
	display->shrunk = true;
	return ftruncate(display->fd, (off_t)size) < 0 ? -errno : 0;
}

static bool is_inside(const struct qemu_display *display, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	return (uint64_t)x + w <= display->width && (uint64_t)y + h <= display->height;
}

int qemu_display_share(const struct qemu_display *display, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	for (uint32_t row = y; row < y + h && !display->shrunk; row++) {
		size_t at = (size_t)row * display->width + x, size = (size_t)w * 4;

		if (pwrite(display->fd, display->pixels + at, size, (off_t)at * 4) != (ssize_t)size)
			return -EIO;
	}
	return 0;
}

static bool uses_map(const struct qemu_display *display)
{
	return display->map && !display->unmapped;
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct qemu_display *display = userdata;
	const sd_bus_error *error = sd_bus_message_get_error(reply);

	(void)ret_error;
	if (!error || !display->ready)
		return 0;
	say("refused %s", error->message);
	if (uses_map(display)) {
		display->unmapped = true;
		qemu_display_scanout(display);
	}
	return 0;
}

static int on_map_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	if (!sd_bus_message_is_method_error(reply, NULL))
		say("mapped");
	return on_answer(reply, userdata, ret_error);
}

static int send_for(struct qemu_display *display, sd_bus_message *message, int r, sd_bus_message_handler_t answered)
{
	if (r >= 0)
		r = sd_bus_call_async(display->listener, NULL, message, answered, display, UINT64_MAX);
	sd_bus_message_unref(message);
	return r;
}

int qemu_display_send(struct qemu_display *display, sd_bus_message *message, int r)
{
	return send_for(display, message, r, on_answer);
}

sd_bus_message *qemu_display_call(struct qemu_display *display, const char *interface, const char *method)
{
	sd_bus_message *message = NULL;

	if (display->ready)
		sd_bus_message_new_method_call(display->listener, &message, NULL, DISPLAY1_LISTENER_PATH, interface,
					       method);
	return message;
}

static void scanout_inline(struct qemu_display *display)
{
	sd_bus_message *message = qemu_display_call(display, DISPLAY1_LISTENER, "Scanout");
	int r =
	    sd_bus_message_append(message, "uuuu", display->width, display->height, display->width * 4, FAKE_FORMAT);

	if (r >= 0)
		r = sd_bus_message_append_array(message, 'y', display->pixels,
						(size_t)display->width * display->height * 4);
	qemu_display_send(display, message, r);
}

static void scanout_map(struct qemu_display *display)
{
	sd_bus_message *message = qemu_display_call(display, DISPLAY1_LISTENER_MAP, "ScanoutMap");
	int r = qemu_display_share(display, 0, 0, display->width, display->height);

	if (r >= 0)
		r = sd_bus_message_append(message, "huuuuu", display->fd, 0, display->width, display->height,
					  display->width * 4, FAKE_FORMAT);
	send_for(display, message, r, on_map_answer);
}

void qemu_display_scanout(struct qemu_display *display)
{
	if (!display->ready || !display->pixels)
		return;
	if (uses_map(display))
		scanout_map(display);
	else
		scanout_inline(display);
}

void qemu_display_overdue(struct qemu_display *display)
{
	if (!display->ready || !display->pixels)
		return;
	scanout_map(display);
	display->unmapped = true;
	scanout_inline(display);
}

static void update_inline(struct qemu_display *display, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	sd_bus_message *message = qemu_display_call(display, DISPLAY1_LISTENER, "Update");
	void *part;
	int r = sd_bus_message_append(message, "iiiiuu", x, y, w, h, w * 4, FAKE_FORMAT);

	if (r >= 0)
		r = sd_bus_message_append_array_space(message, 'y', (size_t)w * h * 4, &part);
	for (uint32_t line = 0; r >= 0 && line < h; line++)
		memcpy((uint8_t *)part + (size_t)line * w * 4,
		       display->pixels + (size_t)(y + line) * display->width + x, (size_t)w * 4);
	qemu_display_send(display, message, r);
}

void qemu_display_update(struct qemu_display *display, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	sd_bus_message *message;
	int r;

	if (!display->ready || !is_inside(display, x, y, w, h))
		return;
	if (!uses_map(display)) {
		update_inline(display, x, y, w, h);
		return;
	}
	message = qemu_display_call(display, DISPLAY1_LISTENER_MAP, "UpdateMap");
	r = qemu_display_share(display, x, y, w, h);
	if (r >= 0)
		r = sd_bus_message_append(message, "iiii", x, y, w, h);
	qemu_display_send(display, message, r);
}

static void draw(struct qemu_display *display, uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint32_t colour)
{
	for (uint32_t row = y; row < y + h; row++)
		for (uint32_t column = x; column < x + w; column++)
			display->pixels[(size_t)row * display->width + column] = colour;
}

int qemu_display_fill(struct qemu_display *display, uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint32_t colour)
{
	if (!is_inside(display, x, y, w, h))
		return -EINVAL;
	draw(display, x, y, w, h, colour);
	qemu_display_update(display, x, y, w, h);
	return 0;
}

/* As QEMU: nothing is sent before the listener has said what it understands. */
static int on_interfaces(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct qemu_display *display = userdata;

	(void)ret_error;
	if (sd_bus_message_is_method_error(reply, NULL))
		return 0;
	display->ready = true;
	say("ready");
	qemu_display_scanout(display);
	return 0;
}

int qemu_display_answer(struct qemu_display *display)
{
	int r = display->held ? sd_bus_reply_method_return(display->held, NULL) : 0;

	display->held = sd_bus_message_unref(display->held);
	return r;
}

static int on_register(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct qemu_display *display = userdata;
	int fd, r = sd_bus_message_read(call, "h", &fd);

	(void)ret_error;
	if (r < 0)
		return r;
	say("listener");
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	display->ready = display->unmapped = false;
	display->listener = sd_bus_close_unref(display->listener);
	r = bus_serve_fd(display->event, fd, NULL, NULL, &display->listener);
	if (r >= 0)
		r = sd_bus_call_method_async(display->listener, NULL, NULL, DISPLAY1_LISTENER_PATH,
					     "org.freedesktop.DBus.Properties", "GetAll", on_interfaces, display, "s",
					     DISPLAY1_LISTENER);
	if (r < 0)
		return r;
	sd_bus_message_unref(display->held);
	display->held = sd_bus_message_ref(call);
	return display->late ? 1 : qemu_display_answer(display);
}

static int on_ui_info(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct qemu_display *display = userdata;
	uint32_t width, height;
	int r = sd_bus_message_skip(call, "qqii");

	(void)ret_error;
	if (r >= 0)
		r = sd_bus_message_read(call, "uu", &width, &height);
	if (r < 0)
		return r;
	say("uiinfo %u %u", width, height);
	if (display->follow && qemu_display_surface(display, width, height) >= 0) {
		draw(display, 0, 0, width, height, FOLLOWED_COLOUR);
		qemu_display_scanout(display);
	}
	return sd_bus_reply_method_return(call, NULL);
}

static int on_input(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	uint32_t value;
	int r = sd_bus_message_read(call, "u", &value);

	(void)userdata;
	(void)ret_error;
	if (r < 0)
		return r;
	say("%s %s %u", strrchr(sd_bus_message_get_interface(call), '.') + 1, sd_bus_message_get_member(call), value);
	return sd_bus_reply_method_return(call, NULL);
}

static int on_position(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	const struct qemu_display *display = userdata;
	uint32_t x, y;
	int r = sd_bus_message_read(call, "uu", &x, &y);

	(void)ret_error;
	if (r < 0)
		return r;
	if (display->relative) {
		say("refused a position");
		return -EINVAL;
	}
	say("at %u %u", x, y);
	return sd_bus_reply_method_return(call, NULL);
}

static int on_motion(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	int32_t x, y;
	int r = sd_bus_message_read(call, "ii", &x, &y);

	(void)userdata;
	(void)ret_error;
	if (r < 0)
		return r;
	say("by %d %d", x, y);
	return sd_bus_reply_method_return(call, NULL);
}

static const sd_bus_vtable console_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("RegisterListener", "h", "", on_register, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetUIInfo", "qqiiuu", "", on_ui_info, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static const sd_bus_vtable keyboard_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Press", "u", "", on_input, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Release", "u", "", on_input, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static int get_absolute(sd_bus *bus, const char *path, const char *interface, const char *property,
			sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	const struct qemu_display *display = userdata;

	(void)bus, (void)path, (void)interface, (void)property, (void)ret_error;
	return sd_bus_message_append(reply, "b", !display->relative);
}

static const sd_bus_vtable mouse_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Press", "u", "", on_input, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Release", "u", "", on_input, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetAbsPosition", "uu", "", on_position, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("RelMotion", "ii", "", on_motion, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY(DISPLAY1_IS_ABSOLUTE, "b", get_absolute, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_VTABLE_END,
};

static int setup_main(sd_bus *bus, void *userdata)
{
	int r = sd_bus_add_object_vtable(bus, NULL, DISPLAY1_CONSOLE_PATH, DISPLAY1_CONSOLE, console_vtable, userdata);

	if (r >= 0)
		r = sd_bus_add_object_vtable(bus, NULL, DISPLAY1_CONSOLE_PATH, DISPLAY1_KEYBOARD, keyboard_vtable,
					     userdata);
	if (r >= 0)
		r = sd_bus_add_object_vtable(bus, NULL, DISPLAY1_CONSOLE_PATH, DISPLAY1_MOUSE, mouse_vtable, userdata);
	if (r >= 0 && ((const struct qemu_display *)userdata)->audio)
		r = qemu_audio_setup(bus, ((const struct qemu_display *)userdata)->audio);
	return r;
}

static int on_gone(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	(void)message;
	(void)userdata;
	(void)ret_error;
	say("gone");
	return 0;
}

void qemu_display_close(struct qemu_display *display)
{
	display->ready = false;
	display->held = sd_bus_message_unref(display->held);
	display->gone = sd_bus_slot_unref(display->gone);
	display->listener = sd_bus_close_unref(display->listener);
	display->main = sd_bus_close_unref(display->main);
}

int qemu_display_serve(struct qemu_display *display, int fd)
{
	int r;

	qemu_display_close(display);
	r = bus_serve_fd(display->event, fd, setup_main, display, &display->main);
	if (r >= 0)
		r = bus_on_disconnect(display->main, on_gone, display, &display->gone);
	return r;
}

void qemu_display_free(struct qemu_display *display)
{
	qemu_display_close(display);
	free(display->pixels);
	closep(&display->fd);
}
