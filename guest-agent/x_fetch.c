/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/x_fetch.h"

#include "common/cleanup.h"
#include "common/clock.h"

#include <string.h>

struct x_fetch {
	const struct x_display *display;
	xcb_window_t window;
	size_t max;
	uint64_t deadline;
	bool incr, good;
	xcb_atom_t type;
	uint8_t format;
	char *data;
	size_t size, room;
};

struct x_fetch *x_fetch_new(const struct x_display *display, xcb_atom_t selection, xcb_atom_t target, size_t max)
{
	struct x_fetch *fetch = calloc(1, sizeof(*fetch));

	if (!fetch)
		return NULL;
	fetch->display = display;
	fetch->max = max;
	fetch->deadline = clock_usec() + X_TEXT_SECONDS * UINT64_C(1000000);
	fetch->window = x_display_window(display, XCB_EVENT_MASK_PROPERTY_CHANGE);
	xcb_convert_selection(display->connection, fetch->window, selection, target, display->data, XCB_CURRENT_TIME);
	return fetch;
}

void x_fetch_free(struct x_fetch *fetch)
{
	if (!fetch)
		return;
	xcb_destroy_window(fetch->display->connection, fetch->window);
	free(fetch->data);
	free(fetch);
}

static bool fetch_end(struct x_fetch *fetch, bool good)
{
	fetch->good = good;
	return true;
}

/* A NUL is always behind the bytes. */
static bool fetch_grow(struct x_fetch *fetch, size_t size)
{
	size_t room = 2 * fetch->room > size + 1 ? 2 * fetch->room : size + 1;
	char *data;

	if (size < fetch->room)
		return true;
	data = realloc(fetch->data, room);
	if (!data)
		return false;
	fetch->data = data;
	fetch->room = room;
	return true;
}

static bool fetch_append(struct x_fetch *fetch, const xcb_get_property_reply_t *property)
{
	size_t size = (size_t)xcb_get_property_value_length(property);

	if (property->bytes_after > 0 || size > fetch->max - fetch->size || !fetch_grow(fetch, fetch->size + size))
		return false;
	memcpy(fetch->data + fetch->size, xcb_get_property_value(property), size);
	fetch->size += size;
	fetch->type = property->type;
	fetch->format = property->format;
	return true;
}

/* Reads and deletes the property; a longer one than may still come is not read. */
static xcb_get_property_reply_t *fetch_property(const struct x_fetch *fetch)
{
	const struct x_display *display = fetch->display;
	uint32_t words = (uint32_t)((fetch->max - fetch->size) / 4 + 1);

	return xcb_get_property_reply(
	    display->connection,
	    xcb_get_property(display->connection, 1, fetch->window, display->data, XCB_GET_PROPERTY_TYPE_ANY, 0, words),
	    NULL);
}

static bool on_notify(struct x_fetch *fetch, const xcb_selection_notify_event_t *event)
{
	_cleanup_free_ xcb_get_property_reply_t *property = NULL;

	if (event->requestor != fetch->window || fetch->incr)
		return false;
	if (event->property == XCB_NONE)
		return fetch_end(fetch, false);
	property = fetch_property(fetch);
	if (!property || property->type == XCB_NONE)
		return fetch_end(fetch, false);
	fetch->incr = property->type == fetch->display->incr; /* its deletion bade the owner begin */
	return fetch->incr ? false : fetch_end(fetch, fetch_append(fetch, property));
}

static bool on_property(struct x_fetch *fetch, const xcb_property_notify_event_t *event)
{
	_cleanup_free_ xcb_get_property_reply_t *property = NULL;

	if (event->window != fetch->window || event->state != XCB_PROPERTY_NEW_VALUE ||
	    event->atom != fetch->display->data || !fetch->incr)
		return false;
	property = fetch_property(fetch);
	if (!property)
		return fetch_end(fetch, false);
	if (property->type == XCB_NONE)
		return false;
	if (!fetch_append(fetch, property))
		return fetch_end(fetch, false);
	return xcb_get_property_value_length(property) == 0 ? fetch_end(fetch, true) : false;
}

bool x_fetch_event(struct x_fetch *fetch, const xcb_generic_event_t *event)
{
	switch (event->response_type & 0x7f) {
	case XCB_SELECTION_NOTIFY:
		return on_notify(fetch, (const xcb_selection_notify_event_t *)event);
	case XCB_PROPERTY_NOTIFY:
		return on_property(fetch, (const xcb_property_notify_event_t *)event);
	default:
		return false;
	}
}

bool x_fetch_tick(struct x_fetch *fetch)
{
	return clock_usec() < fetch->deadline ? false : fetch_end(fetch, false);
}

char *x_fetch_data(struct x_fetch *fetch, xcb_atom_t *ret_type, uint8_t *ret_format, size_t *ret_size)
{
	if (!fetch->good)
		return NULL;
	*ret_type = fetch->type;
	*ret_format = fetch->format;
	*ret_size = fetch->size;
	return fetch->data;
}
