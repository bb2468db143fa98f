/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The broker and the displays of one hotdesk-screen, driven by lines on stdin: screen-tool CONTROL_SOCKET
 *   hello | status | source PATH (connects there and gives the connection to screen)
 *   add N | listen N | mute N | hold N 0|1 | dump N FILE | attack N | flood N COUNT | drop N     (display N)
 *   vdagent PATH (the same for the guest's port) | clipboard ALLOWED BYTES
 *   sound PATH (of PulseAudio's socket, as an O_PATH fd) | silence
 *   register N | copy N [FILE] | uncopy N | paste N FILE     (the clipboard of display N, screen_tool_clipboard.h)
 *   key N QNUM 0|1 | button N BUTTON 0|1 | move N X Y | motion N DX DY | uiinfo N W H
 * Prints `NAME ok` or `NAME error TEXT` for each line, `status SOURCE W H DISPLAYS`, `lost`, `picture W H`, `agent
 * lost`, `moved DIRECTION BYTES`, and what the displays are sent (screen_tool_display.h).
 */
#include "common/bus.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "display/display1.h"
#include "display/screen/screen_api.h"
#include "tests/fakes/lines.h"
#include "tests/wire/screen_tool_clipboard.h"
#include "tests/wire/screen_tool_display.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define DISPLAYS 80

struct tool {
	sd_event *event;
	sd_bus *control;
	struct tool_display displays[DISPLAYS];
	struct tool_clipboard clipboards[DISPLAYS];
};

/* The display a line names first; the rest of the line, and NULL when there is none. */
static struct tool_display *named(struct tool *tool, const char *args, const char **rest)
{
	char *end;
	unsigned long number = strtoul(args, &end, 10);

	if (end == args || number >= DISPLAYS)
		return NULL;
	*rest = *end ? end + 1 : end;
	return &tool->displays[number];
}

static int do_hello(void *userdata, const char *args)
{
	struct tool *tool = userdata;

	(void)args;
	return sd_bus_call_method(tool->control, NULL, SCREEN_API_PATH, SCREEN_API_INTERFACE, "Hello", NULL, NULL, "u",
				  SCREEN_API_VERSION);
}

static int do_status(void *userdata, const char *args)
{
	struct tool *tool = userdata;
	sd_bus_message *reply = NULL;
	uint32_t width, height, displays;
	int source, r = sd_bus_call_method(tool->control, NULL, SCREEN_API_PATH, SCREEN_API_INTERFACE, "Status", NULL,
					   &reply, "");

	(void)args;
	if (r >= 0)
		r = sd_bus_message_read(reply, "buuu", &source, &width, &height, &displays);
	if (r >= 0)
		say("status %d %u %u %u", source, width, height, displays);
	sd_bus_message_unref(reply);
	return r;
}

static int give(struct tool *tool, const char *method, int fd)
{
	return sd_bus_call_method(tool->control, NULL, SCREEN_API_PATH, SCREEN_API_INTERFACE, method, NULL, NULL, "h",
				  fd);
}

static int give_connection(struct tool *tool, const char *method, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fs_path(address.sun_path, sizeof(address.sun_path), "%s", path) < 0 || fd < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return give(tool, method, fd);
}

static int do_source(void *userdata, const char *args)
{
	return give_connection(userdata, "SetSource", args);
}

static int do_vdagent(void *userdata, const char *args)
{
	return give_connection(userdata, "SetVdagent", args);
}

static int do_clipboard(void *userdata, const char *args)
{
	struct tool *tool = userdata;
	unsigned allowed, bytes;

	if (!line_scan(args, "uu", &allowed, &bytes))
		return -EINVAL;
	return sd_bus_call_method(tool->control, NULL, SCREEN_API_PATH, SCREEN_API_INTERFACE, "SetClipboard", NULL,
				  NULL, "uu", allowed, bytes);
}

static int do_sound(void *userdata, const char *args)
{
	_cleanup_close_ int fd = open(args, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : give(userdata, "SetSound", fd);
}

static int do_silence(void *userdata, const char *args)
{
	struct tool *tool = userdata;

	(void)args;
	return sd_bus_call_method(tool->control, NULL, SCREEN_API_PATH, SCREEN_API_INTERFACE, "ClearSound", NULL, NULL,
				  "");
}

static struct tool_clipboard *clipboard_of(struct tool *tool, const char *args, const char **rest)
{
	const struct tool_display *display = named(tool, args, rest);

	return display ? &tool->clipboards[display - tool->displays] : NULL;
}

static int do_register(void *userdata, const char *args)
{
	struct tool *tool = userdata;
	struct tool_clipboard *clipboard = clipboard_of(tool, args, &args);

	return clipboard ? tool_clipboard_register(clipboard, &tool->displays[clipboard - tool->clipboards]) : -EINVAL;
}

static int do_copy(void *userdata, const char *args)
{
	struct tool_clipboard *clipboard = clipboard_of(userdata, args, &args);

	return clipboard ? tool_clipboard_copy(clipboard, args) : -EINVAL;
}

static int do_uncopy(void *userdata, const char *args)
{
	struct tool_clipboard *clipboard = clipboard_of(userdata, args, &args);

	return clipboard ? tool_clipboard_uncopy(clipboard) : -EINVAL;
}

static int do_paste(void *userdata, const char *args)
{
	struct tool_clipboard *clipboard = clipboard_of(userdata, args, &args);

	return clipboard ? tool_clipboard_paste(clipboard, args) : -EINVAL;
}

static int do_add(void *userdata, const char *args)
{
	struct tool *tool = userdata;
	struct tool_display *display = named(tool, args, &args);
	_cleanup_close_ int theirs = -1;
	int pair[2], r;

	if (!display || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -EINVAL;
	theirs = pair[1];
	r = give(tool, "AddDisplay", theirs);
	if (r < 0) {
		close(pair[0]);
		return r;
	}
	return tool_display_open(display, tool->event, (unsigned)(display - tool->displays), pair[0]);
}

static int do_listen(void *userdata, const char *args)
{
	struct tool_display *display = named(userdata, args, &args);

	return display ? tool_display_listen(display, false) : -EINVAL;
}

static int do_mute(void *userdata, const char *args)
{
	struct tool_display *display = named(userdata, args, &args);

	return display ? tool_display_listen(display, true) : -EINVAL;
}

static int do_hold(void *userdata, const char *args)
{
	struct tool_display *display = named(userdata, args, &args);

	if (!display)
		return -EINVAL;
	display->hold = args[0] == '1';
	return 0;
}

static int do_dump(void *userdata, const char *args)
{
	const struct tool_display *display = named(userdata, args, &args);

	return display ? tool_display_dump(display, args) : -EINVAL;
}

static int do_attack(void *userdata, const char *args)
{
	const struct tool_display *display = named(userdata, args, &args);

	if (!display)
		return -EINVAL;
	tool_display_attack(display);
	return 0;
}

static int do_flood(void *userdata, const char *args)
{
	struct tool_display *display = named(userdata, args, &args);

	return display ? tool_display_flood(display, (unsigned)strtoul(args, NULL, 10)) : -EINVAL;
}

static int do_drop(void *userdata, const char *args)
{
	struct tool_display *display = named(userdata, args, &args);

	if (!display)
		return -EINVAL;
	tool_display_close(display);
	return 0;
}

static int press(void *userdata, const char *args, const char *interface)
{
	struct tool_display *display = named(userdata, args, &args);
	unsigned what;
	int down;

	if (!display || !line_scan(args, "ud", &what, &down))
		return -EINVAL;
	return sd_bus_call_method(display->main, NULL, DISPLAY1_CONSOLE_PATH, interface, down ? "Press" : "Release",
				  NULL, NULL, "u", what);
}

static int do_key(void *userdata, const char *args)
{
	return press(userdata, args, DISPLAY1_KEYBOARD);
}

static int do_button(void *userdata, const char *args)
{
	return press(userdata, args, DISPLAY1_MOUSE);
}

static int do_move(void *userdata, const char *args)
{
	struct tool_display *display = named(userdata, args, &args);
	unsigned x, y;

	if (!display || !line_scan(args, "uu", &x, &y))
		return -EINVAL;
	return sd_bus_call_method(display->main, NULL, DISPLAY1_CONSOLE_PATH, DISPLAY1_MOUSE, "SetAbsPosition", NULL,
				  NULL, "uu", x, y);
}

static int do_motion(void *userdata, const char *args)
{
	struct tool_display *display = named(userdata, args, &args);
	int x, y;

	if (!display || !line_scan(args, "dd", &x, &y))
		return -EINVAL;
	return sd_bus_call_method(display->main, NULL, DISPLAY1_CONSOLE_PATH, DISPLAY1_MOUSE, "RelMotion", NULL, NULL,
				  "ii", x, y);
}

static int do_uiinfo(void *userdata, const char *args)
{
	struct tool_display *display = named(userdata, args, &args);
	unsigned width, height;

	if (!display || !line_scan(args, "uu", &width, &height))
		return -EINVAL;
	return sd_bus_call_method(display->main, NULL, DISPLAY1_CONSOLE_PATH, DISPLAY1_CONSOLE, "SetUIInfo", NULL, NULL,
				  "qqiiuu", 0, 0, 0, 0, width, height);
}

static const struct line_command commands[] = {
    {"hello", do_hello},   {"status", do_status},   {"source", do_source},
    {"add", do_add},       {"listen", do_listen},   {"mute", do_mute},
    {"hold", do_hold},     {"dump", do_dump},       {"attack", do_attack},
    {"flood", do_flood},   {"drop", do_drop},       {"key", do_key},
    {"button", do_button}, {"move", do_move},       {"motion", do_motion},
    {"uiinfo", do_uiinfo}, {"vdagent", do_vdagent}, {"clipboard", do_clipboard},
    {"sound", do_sound},   {"silence", do_silence}, {"register", do_register},
    {"copy", do_copy},     {"uncopy", do_uncopy},   {"paste", do_paste},
    {NULL, NULL},
};

static int on_signal(sd_bus_message *signal, void *userdata, sd_bus_error *ret_error)
{
	uint32_t width, height;

	(void)userdata;
	(void)ret_error;
	if (sd_bus_message_is_signal(signal, SCREEN_API_INTERFACE, "SourceLost"))
		say("lost");
	else if (sd_bus_message_is_signal(signal, SCREEN_API_INTERFACE, "VdagentLost"))
		say("agent lost");
	else if (sd_bus_message_is_signal(signal, SCREEN_API_INTERFACE, "Clipboard") &&
		 sd_bus_message_read(signal, "uu", &width, &height) >= 0)
		say("moved %u %u", width, height);
	else if (sd_bus_message_read(signal, "uu", &width, &height) >= 0)
		say("picture %u %u", width, height);
	return 0;
}

int main(int argc, char **argv)
{
	struct tool tool = {0};
	int r = argc == 2 ? sd_event_default(&tool.event) : -EINVAL;

	for (size_t i = 0; i < DISPLAYS; i++)
		tool.displays[i].fd = tool.displays[i].mute = -1;
	if (r >= 0)
		r = bus_connect(tool.event, argv[1], &tool.control);
	if (r >= 0)
		r = sd_bus_match_signal(tool.control, NULL, NULL, SCREEN_API_PATH, SCREEN_API_INTERFACE, NULL,
					on_signal, NULL);
	if (r >= 0)
		r = lines_serve(tool.event, commands, &tool);
	if (r >= 0)
		r = sd_event_loop(tool.event);
	if (r < 0)
		fprintf(stderr, "screen-tool: %s\n", strerror(-r));
	for (size_t i = 0; i < DISPLAYS; i++)
		tool_display_close(&tool.displays[i]);
	sd_bus_close_unref(tool.control);
	sd_event_unref(tool.event);
	return r < 0;
}
