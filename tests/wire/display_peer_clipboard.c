/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/wire/display_peer_clipboard.h"

#include "common/cleanup.h"
#include "common/fs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX ((size_t)64 << 20)

static void on_registered(struct display1_clipboard *display, void *userdata)
{
	(void)display;
	(void)userdata;
	say("registered");
}

static int on_grabbed(struct display1_clipboard *display, void *userdata)
{
	(void)display;
	(void)userdata;
	say("copied");
	return 0;
}

static void on_released(struct display1_clipboard *display, void *userdata)
{
	(void)display;
	(void)userdata;
	say("uncopied");
}

static int on_requested(struct display1_clipboard *display, void *userdata)
{
	const struct peer_clipboard *clipboard = userdata;
	_cleanup_free_ char *text = NULL;
	size_t size;

	say("asked");
	if (!clipboard->offered[0])
		return 0;
	if (fs_read_file(clipboard->offered, FILE_MAX, &text, &size) < 0)
		return -ENOENT;
	display1_clipboard_answer(display, text, size);
	return 0;
}

static void on_text(struct display1_clipboard *display, const char *data, size_t size, void *userdata)
{
	const struct peer_clipboard *clipboard = userdata;

	(void)display;
	if (data && fs_write_atomic(clipboard->pasted, data, size, 0600) == 0)
		say("pasted %zu", size);
	else
		say("nothing");
}

static const struct display1_clipboard_ops ops = {
    .registered = on_registered,
    .grabbed = on_grabbed,
    .released = on_released,
    .requested = on_requested,
    .text = on_text,
};

int peer_clipboard_serve(struct peer_clipboard *clipboard, sd_bus *bus)
{
	display1_clipboard_free(clipboard->display);
	clipboard->display = NULL;
	return display1_clipboard_new(bus, true, &ops, clipboard, &clipboard->display);
}

static int do_offer(void *userdata, const char *args)
{
	struct peer_clipboard *clipboard = userdata;

	snprintf(clipboard->offered, sizeof(clipboard->offered), "%s", args);
	display1_clipboard_offer(clipboard->display, true);
	return 0;
}

static int do_withdraw(void *userdata, const char *args)
{
	const struct peer_clipboard *clipboard = userdata;

	(void)args;
	display1_clipboard_offer(clipboard->display, false);
	return 0;
}

static int do_paste(void *userdata, const char *args)
{
	struct peer_clipboard *clipboard = userdata;

	snprintf(clipboard->pasted, sizeof(clipboard->pasted), "%s", args);
	return display1_clipboard_request(clipboard->display);
}

static int do_notice(void *userdata, const char *args)
{
	struct peer_clipboard *clipboard = userdata;

	snprintf(clipboard->notice, sizeof(clipboard->notice), "%s", args);
	display1_clipboard_notice(clipboard->display, clipboard->notice);
	return 0;
}

const struct line_command peer_clipboard_commands[] = {
    {"offer", do_offer}, {"withdraw", do_withdraw}, {"paste", do_paste}, {"notice", do_notice}, {NULL, NULL},
};
