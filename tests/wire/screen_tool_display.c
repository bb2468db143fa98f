/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/wire/screen_tool_display.h"

#include "common/bus.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "display/display1.h"
#include "tests/fakes/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* Answers, or keeps the peer waiting. */
static int done(const struct tool_display *display, sd_bus_message *call)
{
	return display->hold ? 1 : sd_bus_reply_method_return(call, NULL);
}

static int on_scanout_map(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct tool_display *display = userdata;
	uint32_t offset, format;
	int fd, r = sd_bus_message_read(call, "huuuuu", &fd, &offset, &display->width, &display->height,
					&display->stride, &format);

	(void)ret_error;
	if (r < 0)
		return r;
	closep(&display->fd);
	display->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	say("display %u scanout %u %u", display->number, display->width, display->height);
	return done(display, call);
}

static int on_update_map(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct tool_display *display = userdata;
	int x, y, w, h, r = sd_bus_message_read(call, "iiii", &x, &y, &w, &h);

	(void)ret_error;
	if (r < 0)
		return r;
	say("display %u update %d %d %d %d", display->number, x, y, w, h);
	return done(display, call);
}

static int on_disable(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	const struct tool_display *display = userdata;

	(void)ret_error;
	say("display %u disable", display->number);
	return done(display, call);
}

static int on_mouse(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	const struct tool_display *display = userdata;
	int x, y, on, r = sd_bus_message_read(call, "iii", &x, &y, &on);

	(void)ret_error;
	if (r < 0)
		return r;
	say("display %u mouse %d %d %d", display->number, x, y, on);
	return done(display, call);
}

static int on_cursor(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	const struct tool_display *display = userdata;
	int width, height, hot_x, hot_y, r = sd_bus_message_read(call, "iiii", &width, &height, &hot_x, &hot_y);
	const void *data;
	uint32_t first;
	size_t size;

	(void)ret_error;
	if (r >= 0)
		r = sd_bus_message_read_array(call, 'y', &data, &size);
	if (r < 0 || size < sizeof(first))
		return -EINVAL;
	memcpy(&first, data, sizeof(first));
	say("display %u cursor %d %d %d %d %08x", display->number, width, height, hot_x, hot_y, first);
	return done(display, call);
}

static const sd_bus_vtable listener_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Disable", "", "", on_disable, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("MouseSet", "iii", "", on_mouse, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("CursorDefine", "iiiiay", "", on_cursor, SD_BUS_VTABLE_UNPRIVILEGED),
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
	const struct tool_display *display = userdata;

	(void)message;
	(void)ret_error;
	say("display %u gone", display->number);
	return 0;
}

int tool_display_open(struct tool_display *display, sd_event *event, unsigned number, int fd)
{
	int r;

	*display = (struct tool_display){.number = number, .event = event, .fd = -1, .mute = -1};
	r = bus_client_fd(event, fd, &display->main);
	if (r >= 0)
		r = bus_on_disconnect(display->main, on_gone, display, &display->gone);
	return r;
}

void tool_display_close(struct tool_display *display)
{
	display->gone = sd_bus_slot_unref(display->gone);
	display->listener = sd_bus_close_unref(display->listener);
	display->main = sd_bus_close_unref(display->main);
	closep(&display->fd);
	closep(&display->mute);
	display->fd = display->mute = -1;
}

static int listener_open(struct tool_display *display, int fd)
{
	int r;

	sd_bus_close_unref(display->listener);
	r = bus_client_fd(display->event, fd, &display->listener);
	if (r >= 0)
		r = sd_bus_add_object_vtable(display->listener, NULL, DISPLAY1_LISTENER_PATH, DISPLAY1_LISTENER,
					     listener_vtable, display);
	if (r >= 0)
		r = sd_bus_add_object_vtable(display->listener, NULL, DISPLAY1_LISTENER_PATH, DISPLAY1_LISTENER_MAP,
					     map_vtable, display);
	return r;
}

int tool_display_listen(struct tool_display *display, bool mute)
{
	_cleanup_close_ int theirs = -1;
	int pair[2], r = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	if (mute)
		display->mute = pair[0];
	else
		r = listener_open(display, pair[0]);
	if (r < 0)
		return r;
	return sd_bus_call_method(display->main, NULL, DISPLAY1_CONSOLE_PATH, DISPLAY1_CONSOLE, "RegisterListener",
				  NULL, NULL, "h", theirs);
}

int tool_display_dump(const struct tool_display *display, const char *path)
{
	size_t size = (size_t)display->stride * display->height;
	void *data = mmap(NULL, size, PROT_READ, MAP_SHARED, display->fd, 0);
	int r;

	if (data == MAP_FAILED)
		return -errno;
	r = fs_write_atomic(path, data, size, 0600);
	munmap(data, size);
	return r;
}

static const char *outcome(bool refused)
{
	return refused ? "refused" : "done";
}

void tool_display_attack(const struct tool_display *display)
{
	char path[64];
	size_t size = (size_t)display->stride * display->height;
	bool map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, display->fd, 0) == MAP_FAILED;
	bool shrink = ftruncate(display->fd, 1) < 0, grow = ftruncate(display->fd, (off_t)size * 2) < 0;
	bool written = pwrite(display->fd, "x", 1, 0) < 0;
	bool hole = fallocate(display->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) < 0;
	bool seal = fcntl(display->fd, F_ADD_SEALS, F_SEAL_WRITE) < 0, again = true;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", display->fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		again = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED;
		close(fd);
	}
	say("display %u attack map %s shrink %s grow %s write %s hole %s seal %s reopen %s", display->number,
	    outcome(map), outcome(shrink), outcome(grow), outcome(written), outcome(hole), outcome(seal),
	    outcome(again));
}

/* Without a handler no answer would be sent. */
static int ignored(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	(void)reply;
	(void)userdata;
	(void)ret_error;
	return 0;
}

int tool_display_flood(struct tool_display *display, unsigned n)
{
	sd_bus_detach_event(display->main);
	for (unsigned i = 0; i < n; i++) {
		int r = sd_bus_call_method_async(display->main, NULL, NULL, DISPLAY1_CONSOLE_PATH,
						 "org.freedesktop.DBus.Properties", "GetAll", ignored, NULL, "s",
						 DISPLAY1_CONSOLE);

		if (r >= 0 && i % 64 == 0)
			r = sd_bus_flush(display->main);
		if (r >= 0 && sd_bus_is_open(display->main) <= 0)
			r = -ECONNRESET;
		if (r < 0)
			return r;
	}
	return 0;
}
