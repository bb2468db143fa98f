/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/control.h"

#include "common/bus.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "display/viewer/viewer_api.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct control {
	struct bus_server *server;
	struct viewer *viewer;
};

static int answer(sd_bus_message *call, int r, const char *what)
{
	struct error err;

	if (r >= 0)
		return sd_bus_reply_method_return(call, NULL);
	error_set_errno(&err, r, "%s", what);
	return bus_reply_with_error(call, &err);
}

static int on_hello(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	(void)userdata;
	(void)ret_error;
	return bus_method_hello(call, VIEWER_API_VERSION);
}

static int on_set_source(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct control *control = userdata;
	int fd, r = sd_bus_message_read(call, "h", &fd);

	(void)ret_error;
	if (r < 0)
		return r;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return answer(call, fd < 0 ? -errno : viewer_set_source(control->viewer, fd), "attaching the desktop");
}

static int on_clear_source(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct control *control = userdata;

	(void)ret_error;
	viewer_clear_source(control->viewer);
	return sd_bus_reply_method_return(call, NULL);
}

static int on_set_status(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct control *control = userdata;
	const char *title, *detail;
	int percent, failed, r = sd_bus_message_read(call, "ssib", &title, &detail, &percent, &failed);

	(void)ret_error;
	if (r < 0)
		return r;
	return answer(call, viewer_set_status(control->viewer, title, detail, percent, failed), "showing the status");
}

static int on_set_sound(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct control *control = userdata;
	int allowed, fd, r = sd_bus_message_read(call, "bh", &allowed, &fd);

	(void)ret_error;
	if (r < 0)
		return r;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return answer(call, -errno, "setting the sound");
	viewer_set_sound(control->viewer, allowed, fd);
	return sd_bus_reply_method_return(call, NULL);
}

static int on_close(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct control *control = userdata;
	const char *title, *detail;
	uint32_t linger;
	int r = sd_bus_message_read(call, "ssu", &title, &detail, &linger);

	(void)ret_error;
	if (r < 0)
		return r;
	return answer(call, viewer_close(control->viewer, title, detail, linger), "closing");
}

static int on_status(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct control *control = userdata;
	uint32_t width, height;
	bool source;

	(void)ret_error;
	viewer_status(control->viewer, &source, &width, &height);
	return sd_bus_reply_method_return(call, "buu", (int)source, width, height);
}

static const sd_bus_vtable viewer_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Hello", "u", "u", on_hello, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetSource", "h", "", on_set_source, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ClearSource", "", "", on_clear_source, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetStatus", "ssib", "", on_set_status, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetSound", "bh", "", on_set_sound, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Close", "ssu", "", on_close, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Status", "", "buu", on_status, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("SourceLost", "", 0),
    SD_BUS_SIGNAL("Wanted", "uu", 0),
    SD_BUS_SIGNAL("Sound", "b", 0),
    SD_BUS_VTABLE_END,
};

/* Who can connect is decided by the directory the broker made the socket in. */
static int on_connected(sd_bus *bus, uid_t uid, void *userdata)
{
	(void)uid;
	return sd_bus_add_object_vtable(bus, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, viewer_vtable, userdata);
}

static const struct bus_server_ops server_ops = {on_connected, NULL};

int control_new(sd_event *event, int listen_fd, struct control **ret)
{
	struct control *control = calloc(1, sizeof(*control));
	int r;

	if (!control) {
		close(listen_fd);
		return -ENOMEM;
	}
	r = bus_server_new(event, listen_fd, &server_ops, control, &control->server);
	if (r < 0) {
		free(control);
		return r;
	}
	*ret = control;
	return 0;
}

void control_attach(struct control *control, struct viewer *viewer)
{
	control->viewer = viewer;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	bus_server_free(control->server);
	free(control);
}

static void emit_source_lost(sd_bus *bus, void *userdata)
{
	(void)userdata;
	sd_bus_emit_signal(bus, VIEWER_API_PATH, VIEWER_API_INTERFACE, "SourceLost", NULL);
}

static void emit_wanted(sd_bus *bus, void *userdata)
{
	const uint32_t *size = userdata;

	sd_bus_emit_signal(bus, VIEWER_API_PATH, VIEWER_API_INTERFACE, "Wanted", "uu", size[0], size[1]);
}

static void emit_sound(sd_bus *bus, void *userdata)
{
	const bool *wanted = userdata;

	sd_bus_emit_signal(bus, VIEWER_API_PATH, VIEWER_API_INTERFACE, "Sound", "b", (int)*wanted);
}

static void control_source_lost(void *userdata)
{
	struct control *control = userdata;

	bus_server_each(control->server, emit_source_lost, NULL);
}

static void control_wanted(uint32_t width, uint32_t height, void *userdata)
{
	struct control *control = userdata;
	uint32_t size[2] = {width, height};

	bus_server_each(control->server, emit_wanted, size);
}

static void control_sound(bool wanted, void *userdata)
{
	struct control *control = userdata;

	bus_server_each(control->server, emit_sound, &wanted);
}

const struct viewer_ops control_viewer_ops = {control_source_lost, control_wanted, control_sound};
