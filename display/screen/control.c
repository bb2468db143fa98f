/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/screen/control.h"

#include "common/bus.h"
#include "common/log.h"
#include "display/screen/screen.h"
#include "display/screen/screen_api.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

struct control {
	sd_event *event;
	sd_event_source *linger, *exiting;
	uint64_t linger_usec;
	struct bus_server *bus;
	struct screen *screen;
};

static void emit_source_lost(sd_bus *bus, void *userdata)
{
	(void)userdata;
	sd_bus_emit_signal(bus, SCREEN_API_PATH, SCREEN_API_INTERFACE, "SourceLost", "");
}

static void on_source_lost(void *userdata)
{
	struct control *control = userdata;

	bus_server_each(control->bus, emit_source_lost, NULL);
}

static void emit_vdagent_lost(sd_bus *bus, void *userdata)
{
	(void)userdata;
	sd_bus_emit_signal(bus, SCREEN_API_PATH, SCREEN_API_INTERFACE, "VdagentLost", "");
}

static void on_vdagent_lost(void *userdata)
{
	struct control *control = userdata;

	bus_server_each(control->bus, emit_vdagent_lost, NULL);
}

static void emit_clipboard(sd_bus *bus, void *userdata)
{
	const uint32_t *moved = userdata;

	sd_bus_emit_signal(bus, SCREEN_API_PATH, SCREEN_API_INTERFACE, "Clipboard", "uu", moved[0], moved[1]);
}

static void on_moved(uint32_t direction, size_t bytes, void *userdata)
{
	struct control *control = userdata;
	uint32_t moved[2] = {direction, (uint32_t)bytes};

	bus_server_each(control->bus, emit_clipboard, moved);
}

struct size {
	int width, height;
};

static void emit_picture(sd_bus *bus, void *userdata)
{
	const struct size *size = userdata;

	sd_bus_emit_signal(bus, SCREEN_API_PATH, SCREEN_API_INTERFACE, "Picture", "uu", size->width, size->height);
}

static void on_picture(int width, int height, void *userdata)
{
	struct control *control = userdata;
	struct size size = {width, height};

	bus_server_each(control->bus, emit_picture, &size);
}

static void on_displays(unsigned n, void *userdata)
{
	struct control *control = userdata;

	sd_event_source_set_time_relative(control->linger, control->linger_usec);
	sd_event_source_set_enabled(control->linger, n ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int on_linger(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct control *control = userdata;

	(void)source;
	(void)usec;
	log_info("nobody watches");
	return sd_event_exit(control->event, 0);
}

/* sd-bus flushes its connections when the loop ends, and waits for a peer that does not read: so they go before. */
static int on_exit_loop(sd_event_source *source, void *userdata)
{
	struct control *control = userdata;

	(void)source;
	bus_server_free(control->bus);
	control->bus = NULL;
	screen_free(control->screen);
	control->screen = NULL;
	return 0;
}

static int method_hello(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	(void)userdata;
	(void)ret_error;
	return bus_method_hello(call, SCREEN_API_VERSION);
}

static int with_fd(sd_bus_message *call, struct control *control, int (*use)(struct screen *screen, int fd))
{
	int fd, r = sd_bus_message_read(call, "h", &fd);

	if (r < 0)
		return r;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	r = use(control->screen, fd);
	return r < 0 ? r : sd_bus_reply_method_return(call, "");
}

static int method_set_source(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	return with_fd(call, userdata, screen_set_source);
}

static int method_add_display(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	return with_fd(call, userdata, screen_add_display);
}

static int method_set_vdagent(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	return with_fd(call, userdata, screen_set_vdagent);
}

static int method_set_clipboard(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct control *control = userdata;
	uint32_t allowed, max_bytes;
	int r = sd_bus_message_read(call, "uu", &allowed, &max_bytes);

	(void)ret_error;
	if (r < 0)
		return r;
	if (max_bytes > SCREEN_CLIPBOARD_BYTES_MAX)
		return -EINVAL;
	screen_set_clipboard(control->screen, allowed, max_bytes);
	return sd_bus_reply_method_return(call, "");
}

static int method_set_sound(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	return with_fd(call, userdata, screen_set_sound);
}

static int method_clear_sound(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct control *control = userdata;

	(void)ret_error;
	screen_clear_sound(control->screen);
	return sd_bus_reply_method_return(call, "");
}

static int method_status(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	const struct control *control = userdata;
	struct screen_status status = screen_status(control->screen);

	(void)ret_error;
	return sd_bus_reply_method_return(call, "buuu", (int)status.source, status.width, status.height,
					  status.displays);
}

static const sd_bus_vtable screen_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Hello", "u", "u", method_hello, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetSource", "h", "", method_set_source, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("AddDisplay", "h", "", method_add_display, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetVdagent", "h", "", method_set_vdagent, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetClipboard", "uu", "", method_set_clipboard, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetSound", "h", "", method_set_sound, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ClearSound", "", "", method_clear_sound, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Status", "", "buuu", method_status, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("SourceLost", "", 0),
    SD_BUS_SIGNAL("Picture", "uu", 0),
    SD_BUS_SIGNAL("VdagentLost", "", 0),
    SD_BUS_SIGNAL("Clipboard", "uu", 0),
    SD_BUS_VTABLE_END,
};

/* Whoever reaches the socket is the broker: it lies in a directory that is the broker's. */
static int peer_connected(sd_bus *bus, uid_t uid, void *userdata)
{
	(void)uid;
	return sd_bus_add_object_vtable(bus, NULL, SCREEN_API_PATH, SCREEN_API_INTERFACE, screen_vtable, userdata);
}

int control_new(sd_event *event, int listen_fd, uint64_t linger_usec, struct control **ret)
{
	static const struct bus_server_ops bus_ops = {peer_connected, NULL};
	static const struct screen_ops screen_ops = {
	    on_source_lost, on_picture, on_displays, {on_vdagent_lost, on_moved}};
	struct control *control = calloc(1, sizeof(*control));
	int r;

	if (!control)
		return -ENOMEM;
	control->event = sd_event_ref(event);
	control->linger_usec = linger_usec;
	r = sd_event_add_time_relative(event, &control->linger, CLOCK_MONOTONIC, linger_usec, 0, on_linger, control);
	if (r >= 0)
		r = sd_event_add_exit(event, &control->exiting, on_exit_loop, control);
	if (r >= 0)
		r = sd_event_source_set_priority(control->exiting, SD_EVENT_PRIORITY_IMPORTANT);
	if (r >= 0)
		r = screen_new(event, &screen_ops, control, &control->screen);
	if (r >= 0)
		r = bus_server_new(event, listen_fd, &bus_ops, control, &control->bus);
	if (r < 0) {
		control_free(control);
		return r;
	}
	*ret = control;
	return 0;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	bus_server_free(control->bus);
	screen_free(control->screen);
	sd_event_source_disable_unref(control->exiting);
	sd_event_source_disable_unref(control->linger);
	sd_event_unref(control->event);
	free(control);
}
