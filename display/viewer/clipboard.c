/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/clipboard.h"

#include "display/viewer/cut_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALL_ACTIONS (CUT_CAPS | CUT_REQUEST | CUT_PEEK | CUT_NOTIFY | CUT_PROVIDE)

struct clipboard {
	struct server *server;
	void (*notice)(const char *sentence, void *userdata);
	void *userdata;
	size_t text_max;
	struct display1_clipboard *screen; /* NULL: there is none */
	struct cut_text_reader reader;
	bool started;  /* the viewer has said its encodings: before that it is in RFB's handshake */
	bool listed;   /* the viewer listed the Extended Clipboard */
	bool extended; /* and has said what it can */
	bool viewer_has;
	char *text; /* the viewer's, where it was sent unasked */
	size_t size;
	bool screen_has, screen_asked; /* its text was requested */
	bool screen_newer;             /* and it has another one since */
	bool viewer_asked;             /* the screen waits for the viewer's */
};

static const char TOO_LONG[] = "The text is longer than the clipboard may take, and was not copied.";

static void tell_viewer(struct clipboard *clipboard, uint32_t flags)
{
	uint8_t message[CUT_TEXT_ACTION_SIZE];
	size_t size = cut_text_action(message, flags);
	char *copy = malloc(size);

	if (!copy)
		return;
	memcpy(copy, message, size);
	server_send_text(clipboard->server, INBOX_PLAIN, copy, size);
}

static void drop_text(struct clipboard *clipboard)
{
	free(clipboard->text);
	clipboard->text = NULL;
	clipboard->size = 0;
}

static void ask_screen(struct clipboard *clipboard)
{
	if (!clipboard->screen_has || clipboard->screen_asked)
		return;
	clipboard->screen_asked = display1_clipboard_request(clipboard->screen) >= 0;
}

static uint32_t screen_formats(const struct clipboard *clipboard)
{
	return clipboard->screen_has ? CUT_FORMAT_TEXT : 0;
}

/* -- what the viewer says -------------------------------------------------------------------------------------------*/

void clipboard_features(struct clipboard *clipboard, uint32_t features)
{
	bool listed = (features & FEATURE_CLIPBOARD) != 0;

	if (listed && !clipboard->listed)
		tell_viewer(clipboard, ALL_ACTIONS | CUT_FORMAT_TEXT);
	clipboard->listed = listed;
	clipboard->extended = clipboard->extended && listed;
	if (!clipboard->started && !listed)
		ask_screen(clipboard);
	clipboard->started = true;
}

static void viewer_grabbed(struct clipboard *clipboard)
{
	clipboard->viewer_has = true;
	clipboard->screen_has = false;
	if (clipboard->screen)
		display1_clipboard_offer(clipboard->screen, true);
}

static void viewer_released(struct clipboard *clipboard)
{
	clipboard->viewer_has = false;
	drop_text(clipboard);
	if (clipboard->screen)
		display1_clipboard_offer(clipboard->screen, false);
}

static void answer_screen(struct clipboard *clipboard, const char *text, size_t size)
{
	clipboard->viewer_asked = false;
	if (clipboard->screen)
		display1_clipboard_answer(clipboard->screen, text, size);
}

static void viewer_action(struct clipboard *clipboard, uint32_t flags)
{
	bool text = (flags & CUT_FORMAT_TEXT) != 0;

	if ((flags & CUT_CAPS) && clipboard->listed) {
		clipboard->extended = text;
		if (clipboard->extended && clipboard->screen_has)
			tell_viewer(clipboard, CUT_NOTIFY | CUT_FORMAT_TEXT);
	} else if (flags & CUT_PEEK) {
		tell_viewer(clipboard, CUT_NOTIFY | screen_formats(clipboard));
	} else if ((flags & CUT_REQUEST) && text) {
		ask_screen(clipboard);
	} else if (flags & CUT_NOTIFY) {
		drop_text(clipboard);
		if (text)
			viewer_grabbed(clipboard);
		else
			viewer_released(clipboard);
	}
}

/* text: taken over. An empty one is none: a viewer that got nothing of its own side's program in time sends one. */
static void viewer_text(struct clipboard *clipboard, char *text, size_t size)
{
	if (clipboard->viewer_asked) {
		answer_screen(clipboard, size > 0 ? text : NULL, size);
		free(text);
		return;
	}
	if (size == 0) {
		free(text);
		viewer_released(clipboard);
		return;
	}
	drop_text(clipboard);
	clipboard->text = text;
	clipboard->size = size;
	viewer_grabbed(clipboard);
}

void clipboard_heard(struct clipboard *clipboard, const struct filter_message *message)
{
	struct cut_text_message said = cut_text_read(
	    &clipboard->reader, message->flags & FILTER_CUT_FIRST, message->flags & FILTER_CUT_LAST,
	    message->flags & FILTER_CUT_EXTENDED, message->total, message->payload, message->payload_size);

	switch (said.kind) {
	case CUT_TEXT_NONE:
		/* It came broken: whoever waits for it need not wait on. */
		if (clipboard->viewer_asked && (message->flags & FILTER_CUT_LAST))
			answer_screen(clipboard, NULL, 0);
		break;
	case CUT_TEXT_TEXT:
		viewer_text(clipboard, said.text, said.size);
		break;
	case CUT_TEXT_TOO_LONG:
		clipboard->notice(TOO_LONG, clipboard->userdata);
		if (clipboard->viewer_asked)
			answer_screen(clipboard, NULL, 0);
		break;
	case CUT_TEXT_ACTION:
		viewer_action(clipboard, said.flags);
		break;
	}
}

/* -- what the screen says -------------------------------------------------------------------------------------------*/

static int screen_grabbed(struct display1_clipboard *screen, void *userdata)
{
	struct clipboard *clipboard = userdata;

	(void)screen;
	clipboard->screen_has = true;
	clipboard->screen_newer = clipboard->screen_asked;
	clipboard->viewer_has = false;
	drop_text(clipboard);
	if (clipboard->extended)
		tell_viewer(clipboard, CUT_NOTIFY | CUT_FORMAT_TEXT);
	else if (clipboard->started && !clipboard->listed)
		ask_screen(clipboard);
	return 0;
}

static void screen_released(struct display1_clipboard *screen, void *userdata)
{
	struct clipboard *clipboard = userdata;

	(void)screen;
	clipboard->screen_has = false;
	if (clipboard->extended)
		tell_viewer(clipboard, CUT_NOTIFY);
}

static int screen_requested(struct display1_clipboard *screen, void *userdata)
{
	struct clipboard *clipboard = userdata;

	if (!clipboard->viewer_has)
		return -ENOENT;
	if (clipboard->text) {
		display1_clipboard_answer(screen, clipboard->text, clipboard->size);
		return 0;
	}
	clipboard->viewer_asked = true;
	tell_viewer(clipboard, CUT_REQUEST | CUT_FORMAT_TEXT);
	return 0;
}

static void screen_text(struct display1_clipboard *screen, const char *data, size_t size, void *userdata)
{
	struct clipboard *clipboard = userdata;
	char *copy;

	(void)screen;
	clipboard->screen_asked = false;
	if (clipboard->screen_newer) {
		clipboard->screen_newer = false;
		ask_screen(clipboard);
		return;
	}
	if (!data || size > clipboard->text_max)
		return;
	copy = malloc(size + 1);
	if (!copy)
		return;
	memcpy(copy, data, size);
	server_send_text(clipboard->server, clipboard->extended ? INBOX_PROVIDE : INBOX_LATIN1, copy, size);
}

static void screen_notice(const char *sentence, void *userdata)
{
	struct clipboard *clipboard = userdata;

	clipboard->notice(sentence, clipboard->userdata);
}

static const struct display1_clipboard_ops screen_ops = {
    .grabbed = screen_grabbed,
    .released = screen_released,
    .requested = screen_requested,
    .text = screen_text,
    .notice = screen_notice,
};

int clipboard_set_bus(struct clipboard *clipboard, sd_bus *bus)
{
	int r;

	display1_clipboard_free(clipboard->screen);
	clipboard->screen = NULL;
	clipboard->screen_asked = clipboard->screen_newer = clipboard->viewer_asked = false;
	/* The desktop's text is out of reach; what the viewer was given it keeps. */
	if (clipboard->screen_has)
		screen_released(NULL, clipboard);
	if (!bus)
		return 0;
	r = display1_clipboard_new(bus, false, &screen_ops, clipboard, &clipboard->screen);
	if (r >= 0 && clipboard->viewer_has)
		display1_clipboard_offer(clipboard->screen, true);
	return r;
}

int clipboard_new(struct server *server, size_t text_max, void (*notice)(const char *sentence, void *userdata),
		  void *userdata, struct clipboard **ret)
{
	struct clipboard *clipboard = calloc(1, sizeof(*clipboard));

	if (!clipboard)
		return -ENOMEM;
	clipboard->server = server;
	clipboard->text_max = text_max;
	clipboard->notice = notice;
	clipboard->userdata = userdata;
	cut_text_reader_init(&clipboard->reader, text_max);
	*ret = clipboard;
	return 0;
}

void clipboard_free(struct clipboard *clipboard)
{
	if (!clipboard)
		return;
	display1_clipboard_free(clipboard->screen);
	cut_text_reader_done(&clipboard->reader);
	free(clipboard->text);
	free(clipboard);
}
