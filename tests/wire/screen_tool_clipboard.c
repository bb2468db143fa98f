/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/wire/screen_tool_clipboard.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "display/display1.h"
#include "tests/fakes/lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX ((size_t)64 << 20)

static int on_grab(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct tool_clipboard *clipboard = userdata;
	uint32_t selection, serial;
	int r = sd_bus_message_read(call, "uu", &selection, &serial);

	(void)ret_error;
	if (r < 0)
		return r;
	clipboard->serial = serial;
	say("display %u grab", clipboard->display->number);
	return clipboard->display->hold ? 1 : sd_bus_reply_method_return(call, NULL);
}

static int on_release(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	const struct tool_clipboard *clipboard = userdata;

	(void)ret_error;
	say("display %u release", clipboard->display->number);
	return sd_bus_reply_method_return(call, NULL);
}

static int reply_file(sd_bus_message *call, const char *path)
{
	_cleanup_free_ char *text = NULL;
	sd_bus_message *reply = NULL;
	size_t size;
	int r = fs_read_file(path, FILE_MAX, &text, &size);

	if (r >= 0)
		r = sd_bus_message_new_method_return(call, &reply);
	if (r >= 0)
		r = sd_bus_message_append(reply, "s", DISPLAY1_MIME_TEXT);
	if (r >= 0)
		r = sd_bus_message_append_array(reply, 'y', text, size);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static int on_request(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	const struct tool_clipboard *clipboard = userdata;

	(void)ret_error;
	say("display %u request", clipboard->display->number);
	return clipboard->copied[0] ? reply_file(call, clipboard->copied) : 1;
}

static int on_notice(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	const struct tool_clipboard *clipboard = userdata;
	const char *sentence;
	int r = sd_bus_message_read(call, "s", &sentence);

	(void)ret_error;
	if (r >= 0)
		say("display %u notice %s", clipboard->display->number, sentence);
	return r;
}

static const sd_bus_vtable clipboard_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Grab", "uuas", "", on_grab, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Release", "u", "", on_release, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Request", "uas", "say", on_request, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static const sd_bus_vtable own_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Notice", "s", "", on_notice, SD_BUS_VTABLE_UNPRIVILEGED | SD_BUS_VTABLE_METHOD_NO_REPLY),
    SD_BUS_VTABLE_END,
};

static int call(const struct tool_clipboard *clipboard, const char *method, const char *types, ...)
{
	va_list args;
	int r;

	va_start(args, types);
	r = sd_bus_call_methodv(clipboard->display->main, NULL, DISPLAY1_CLIPBOARD_PATH, DISPLAY1_CLIPBOARD, method,
				NULL, NULL, types, args);
	va_end(args);
	return r;
}

int tool_clipboard_register(struct tool_clipboard *clipboard, const struct tool_display *display)
{
	int r;

	clipboard->display = display;
	r = sd_bus_add_object_vtable(display->main, NULL, DISPLAY1_CLIPBOARD_PATH, DISPLAY1_CLIPBOARD, clipboard_vtable,
				     clipboard);
	if (r >= 0)
		r = sd_bus_add_object_vtable(display->main, NULL, DISPLAY1_CLIPBOARD_PATH, CLIPBOARD1, own_vtable,
					     clipboard);
	return r < 0 ? r : call(clipboard, "Register", "");
}

int tool_clipboard_copy(struct tool_clipboard *clipboard, const char *file)
{
	snprintf(clipboard->copied, sizeof(clipboard->copied), "%s", file);
	return call(clipboard, "Grab", "uuas", DISPLAY1_SELECTION_CLIPBOARD, ++clipboard->serial, 1,
		    DISPLAY1_MIME_TEXT);
}

int tool_clipboard_uncopy(struct tool_clipboard *clipboard)
{
	return call(clipboard, "Release", "u", DISPLAY1_SELECTION_CLIPBOARD);
}

static int pasted(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	const struct tool_clipboard *clipboard = userdata;
	const void *data = NULL;
	const char *mime;
	size_t size = 0;
	int r = sd_bus_message_is_method_error(reply, NULL) ? -EIO : sd_bus_message_read(reply, "s", &mime);

	(void)ret_error;
	if (r >= 0)
		r = sd_bus_message_read_array(reply, 'y', &data, &size);
	if (r >= 0)
		r = fs_write_atomic(clipboard->pasted, data, size, 0600);
	if (r < 0)
		say("display %u nothing", clipboard->display->number);
	else
		say("display %u pasted %zu", clipboard->display->number, size);
	return 0;
}

int tool_clipboard_paste(struct tool_clipboard *clipboard, const char *file)
{
	snprintf(clipboard->pasted, sizeof(clipboard->pasted), "%s", file);
	return sd_bus_call_method_async(clipboard->display->main, NULL, NULL, DISPLAY1_CLIPBOARD_PATH,
					DISPLAY1_CLIPBOARD, "Request", pasted, clipboard, "uas",
					DISPLAY1_SELECTION_CLIPBOARD, 1, DISPLAY1_MIME_TEXT);
}
