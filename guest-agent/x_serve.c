/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/x_serve.h"

#include "common/clock.h"

#include <stdlib.h>

#define PIECE_SIZE ((size_t)128 * 1024) /* longer texts go by INCR; every X server takes a request of this size */

enum place_state { PLACE_FREE, PLACE_WAITS, PLACE_SENDS };

/* A request for a text. */
struct place {
	enum place_state state;
	xcb_selection_request_event_t request;
	xcb_atom_t type; /* of what is given */
	struct x_text *text;
	size_t at;
	uint64_t deadline;
};

struct x_serve {
	const struct x_display *display;
	struct place all[X_SERVE_MAX];
};

struct x_serve *x_serve_new(const struct x_display *display)
{
	struct x_serve *serve = calloc(1, sizeof(*serve));

	if (serve)
		serve->display = display;
	return serve;
}

void x_serve_free(struct x_serve *serve)
{
	if (!serve)
		return;
	for (size_t i = 0; i < X_SERVE_MAX; i++)
		x_text_unref(serve->all[i].text);
	free(serve);
}

/* property NONE: refused. */
static void notify(const struct x_serve *serve, const xcb_selection_request_event_t *request, xcb_atom_t property)
{
	union {
		xcb_selection_notify_event_t event;
		char bytes[32]; /* of every event */
	} wire = {.event = {.response_type = XCB_SELECTION_NOTIFY,
			    .time = request->time,
			    .requestor = request->requestor,
			    .selection = request->selection,
			    .target = request->target,
			    .property = property}};

	xcb_send_event(serve->display->connection, 0, request->requestor, 0, wire.bytes);
}

void x_serve_refuse(struct x_serve *serve, const xcb_selection_request_event_t *request)
{
	notify(serve, request, XCB_NONE);
}

/* Old clients name no property and look at the target's. */
static xcb_atom_t property_of(const xcb_selection_request_event_t *request)
{
	return request->property == XCB_NONE ? request->target : request->property;
}

static void put(const struct x_serve *serve, const xcb_selection_request_event_t *request, xcb_atom_t type,
		uint8_t format, size_t n, const void *data)
{
	xcb_change_property(serve->display->connection, XCB_PROP_MODE_REPLACE, request->requestor, property_of(request),
			    type, format, (uint32_t)n, data);
}

static bool window_is_in_use(const struct x_serve *serve, xcb_window_t window)
{
	for (size_t i = 0; i < X_SERVE_MAX; i++)
		if (serve->all[i].state == PLACE_SENDS && serve->all[i].request.requestor == window)
			return true;
	return false;
}

static void watch_window(const struct x_serve *serve, xcb_window_t window, uint32_t events)
{
	xcb_change_window_attributes(serve->display->connection, window, XCB_CW_EVENT_MASK, &events);
}

static void place_clear(struct x_serve *serve, struct place *place)
{
	bool sent = place->state == PLACE_SENDS;

	x_text_unref(place->text);
	place->text = NULL;
	place->state = PLACE_FREE;
	if (sent && !window_is_in_use(serve, place->request.requestor))
		watch_window(serve, place->request.requestor, 0);
}

static void place_refuse(struct x_serve *serve, struct place *place)
{
	if (place->state == PLACE_WAITS)
		x_serve_refuse(serve, &place->request);
	place_clear(serve, place);
}

static void place_extend(struct place *place)
{
	place->deadline = clock_usec() + X_TEXT_SECONDS * UINT64_C(1000000);
}

/* The next piece, for a requestor that has deleted the one before; an empty one is the end. */
static void place_step(struct x_serve *serve, struct place *place)
{
	size_t left = place->text->size - place->at, n = left < PIECE_SIZE ? left : PIECE_SIZE;

	put(serve, &place->request, place->type, 8, n, place->text->data + place->at);
	place->at += n;
	place_extend(place);
	if (n == 0)
		place_clear(serve, place);
}

/* Takes the text over. */
static void place_give(struct x_serve *serve, struct place *place, struct x_text *text)
{
	uint32_t size = (uint32_t)text->size;

	place->text = text;
	if (text->size <= PIECE_SIZE) {
		put(serve, &place->request, place->type, 8, size, text->data);
		notify(serve, &place->request, property_of(&place->request));
		place_clear(serve, place);
		return;
	}
	place->state = PLACE_SENDS;
	place->at = 0;
	place_extend(place);
	watch_window(serve, place->request.requestor, XCB_EVENT_MASK_PROPERTY_CHANGE | XCB_EVENT_MASK_STRUCTURE_NOTIFY);
	put(serve, &place->request, serve->display->incr, 32, 1, &size);
	notify(serve, &place->request, property_of(&place->request));
}

void x_serve_text(struct x_serve *serve, xcb_atom_t selection, struct x_text *text)
{
	struct x_text *latin1 = NULL;

	for (size_t i = 0; i < X_SERVE_MAX; i++) {
		struct place *place = &serve->all[i];
		bool as_latin1 = place->type == XCB_ATOM_STRING;

		if (place->state != PLACE_WAITS || place->request.selection != selection)
			continue;
		if (text && as_latin1 && !latin1)
			latin1 = x_text_to_latin1(text);
		if (!text || (as_latin1 && !latin1))
			place_refuse(serve, place);
		else
			place_give(serve, place, x_text_ref(as_latin1 ? latin1 : text));
	}
	x_text_unref(latin1);
}

bool x_serve_waits(const struct x_serve *serve, xcb_atom_t selection)
{
	for (size_t i = 0; i < X_SERVE_MAX; i++)
		if (serve->all[i].state == PLACE_WAITS && serve->all[i].request.selection == selection)
			return true;
	return false;
}

/* The ids that a client gives its windows differ in these bits alone. */
static bool of_one_client(const struct x_serve *serve, xcb_window_t a, xcb_window_t b)
{
	uint32_t mask = xcb_get_setup(serve->display->connection)->resource_id_mask;

	return (a & ~mask) == (b & ~mask);
}

/* NULL: too many. Who asks again for the same property has given the first request up. */
static struct place *place_for(struct x_serve *serve, const xcb_selection_request_event_t *request)
{
	struct place *found = NULL;
	size_t of_client = 0;

	for (size_t i = 0; i < X_SERVE_MAX; i++) {
		struct place *place = &serve->all[i];

		if (place->state != PLACE_FREE && place->request.requestor == request->requestor &&
		    property_of(&place->request) == property_of(request))
			place_clear(serve, place);
		if (place->state == PLACE_FREE)
			found = found ? found : place;
		else
			of_client += of_one_client(serve, place->request.requestor, request->requestor);
	}
	return of_client < X_SERVE_CLIENT_MAX ? found : NULL;
}

static bool is_text(const struct x_display *display, xcb_atom_t target)
{
	return target == display->utf8_string || target == display->text || target == XCB_ATOM_STRING;
}

bool x_serve_request(struct x_serve *serve, const xcb_selection_request_event_t *request, xcb_timestamp_t since)
{
	const struct x_display *display = serve->display;
	const xcb_atom_t targets[] = {display->targets, display->timestamp, display->utf8_string, display->text,
				      XCB_ATOM_STRING};
	struct place *place;

	if (request->target == display->targets) {
		put(serve, request, XCB_ATOM_ATOM, 32, sizeof(targets) / sizeof(targets[0]), targets);
		notify(serve, request, property_of(request));
		return false;
	}
	if (request->target == display->timestamp) {
		put(serve, request, XCB_ATOM_INTEGER, 32, 1, &since);
		notify(serve, request, property_of(request));
		return false;
	}
	place = is_text(display, request->target) ? place_for(serve, request) : NULL;
	if (!place) {
		x_serve_refuse(serve, request);
		return false;
	}
	place->state = PLACE_WAITS;
	place->request = *request;
	place->type = request->target == XCB_ATOM_STRING ? XCB_ATOM_STRING : display->utf8_string;
	place_extend(place);
	return true;
}

static void on_property(struct x_serve *serve, const xcb_property_notify_event_t *event)
{
	for (size_t i = 0; i < X_SERVE_MAX && event->state == XCB_PROPERTY_DELETE; i++) {
		struct place *place = &serve->all[i];

		if (place->state == PLACE_SENDS && place->request.requestor == event->window &&
		    property_of(&place->request) == event->atom)
			place_step(serve, place);
	}
}

static void on_destroy(struct x_serve *serve, const xcb_destroy_notify_event_t *event)
{
	for (size_t i = 0; i < X_SERVE_MAX; i++)
		if (serve->all[i].state == PLACE_SENDS && serve->all[i].request.requestor == event->window)
			place_clear(serve, &serve->all[i]);
}

void x_serve_event(struct x_serve *serve, const xcb_generic_event_t *event)
{
	switch (event->response_type & 0x7f) {
	case XCB_PROPERTY_NOTIFY:
		on_property(serve, (const xcb_property_notify_event_t *)event);
		break;
	case XCB_DESTROY_NOTIFY:
		on_destroy(serve, (const xcb_destroy_notify_event_t *)event);
		break;
	default:
		break;
	}
}

void x_serve_tick(struct x_serve *serve)
{
	uint64_t now = clock_usec();

	for (size_t i = 0; i < X_SERVE_MAX; i++)
		if (serve->all[i].state != PLACE_FREE && now >= serve->all[i].deadline)
			place_refuse(serve, &serve->all[i]);
}
