/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/x_text.h"

#include "common/cleanup.h"
#include "common/text.h"

#include <errno.h>
#include <string.h>

int x_connect(xcb_connection_t **ret, xcb_screen_t **ret_screen)
{
	int number = 0;
	xcb_screen_iterator_t screens;

	*ret = xcb_connect(NULL, &number);
	if (xcb_connection_has_error(*ret))
		return -ECONNREFUSED;
	screens = xcb_setup_roots_iterator(xcb_get_setup(*ret));
	while (number-- > 0 && screens.rem > 1)
		xcb_screen_next(&screens);
	*ret_screen = screens.data;
	return 0;
}

int x_display_atoms(struct x_display *display)
{
	const struct {
		const char *name;
		xcb_atom_t *atom;
	} all[] = {
	    {"CLIPBOARD", &display->clipboard},    {"UTF8_STRING", &display->utf8_string}, {"TEXT", &display->text},
	    {"TARGETS", &display->targets},        {"TIMESTAMP", &display->timestamp},     {"INCR", &display->incr},
	    {"HOTDESK_SELECTION", &display->data},
	};
	xcb_intern_atom_cookie_t cookies[sizeof(all) / sizeof(all[0])];
	int r = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		cookies[i] = xcb_intern_atom(display->connection, 0, (uint16_t)strlen(all[i].name), all[i].name);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		_cleanup_free_ xcb_intern_atom_reply_t *reply =
		    xcb_intern_atom_reply(display->connection, cookies[i], NULL);

		if (reply)
			*all[i].atom = reply->atom;
		else
			r = -EIO;
	}
	return r;
}

xcb_window_t x_display_window(const struct x_display *display, uint32_t event_mask)
{
	xcb_window_t window = xcb_generate_id(display->connection);

	xcb_create_window(display->connection, XCB_COPY_FROM_PARENT, window, display->root, -1, -1, 1, 1, 0,
			  XCB_WINDOW_CLASS_INPUT_ONLY, XCB_COPY_FROM_PARENT, XCB_CW_EVENT_MASK, &event_mask);
	return window;
}

struct x_text *x_text_new(const char *data, size_t size)
{
	struct x_text *text = malloc(sizeof(*text) + size);

	if (!text)
		return NULL;
	text->users = 1;
	text->size = size;
	if (data && size)
		memcpy(text->data, data, size);
	return text;
}

struct x_text *x_text_ref(struct x_text *text)
{
	text->users++;
	return text;
}

void x_text_unref(struct x_text *text)
{
	if (text && --text->users == 0)
		free(text);
}

struct x_text *x_text_to_latin1(const struct x_text *text)
{
	struct x_text *ret = x_text_new(NULL, text->size);
	size_t used = 0;

	for (size_t at = 0; ret && at < text->size;) {
		uint32_t code = '?';
		size_t n = text_decode(text->data + at, text->size - at, &code);

		ret->data[used++] = (char)(n == 0 || code > 0xff ? '?' : code);
		at += n ? n : 1;
	}
	if (ret)
		ret->size = used;
	return ret;
}

struct x_text *x_text_from_latin1(const char *data, size_t size)
{
	struct x_text *ret;
	size_t high = 0, used = 0;

	for (size_t i = 0; i < size; i++)
		high += (unsigned char)data[i] >= 0x80;
	ret = x_text_new(NULL, size + high);
	for (size_t i = 0; ret && i < size; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c >= 0x80)
			ret->data[used++] = (char)(0xc0 | c >> 6);
		ret->data[used++] = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
	}
	return ret;
}
