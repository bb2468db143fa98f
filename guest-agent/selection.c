/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/selection.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/text.h"
#include "guest-agent/x_fetch.h"
#include "guest-agent/x_serve.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <xcb/xfixes.h>

#define TICK_MS 500
#define TARGETS_MAX 4096 /* bytes of the list of what an owner offers */
#define OWNER_EVENTS                                                                                                   \
	(XCB_XFIXES_SELECTION_EVENT_MASK_SET_SELECTION_OWNER |                                                         \
	 XCB_XFIXES_SELECTION_EVENT_MASK_SELECTION_WINDOW_DESTROY |                                                    \
	 XCB_XFIXES_SELECTION_EVENT_MASK_SELECTION_CLIENT_CLOSE)

struct side {
	xcb_atom_t atom;
	/* Held for the host: */
	xcb_window_t window; /* its owner, anew for each text; 0: not held */
	uint32_t sequence;   /* of the request that took it */
	xcb_timestamp_t since;
	struct x_text *text; /* NULL: not here yet */
	bool asked;          /* the host was */
	/* Held by another client: */
	struct x_fetch *offer, *fetch; /* what it offers; its text */
	xcb_atom_t target;             /* as which it offers a text; 0: none is held */
};

struct selections {
	struct loop *loop;
	struct watch *watch, *timer;
	const struct selections_ops *ops;
	void *userdata;
	size_t text_max;
	struct x_display display;
	uint8_t xfixes_event;
	struct x_serve *serve;
	struct side sides[SELECTION_COUNT];
};

static struct side *side_of(struct selections *selections, xcb_atom_t atom)
{
	for (int i = 0; i < SELECTION_COUNT; i++)
		if (selections->sides[i].atom == atom)
			return &selections->sides[i];
	return NULL;
}

static enum selection which_of(const struct selections *selections, const struct side *side)
{
	return (enum selection)(side - selections->sides);
}

static void fetched(struct selections *selections, struct side *side, const struct x_text *text)
{
	selections->ops->fetched(which_of(selections, side), text ? text->data : NULL, text ? text->size : 0,
				 selections->userdata);
}

/* Who waits for a text of ours gets none: it has another owner, or is another one. */
static void side_forget_ours(struct selections *selections, struct side *side)
{
	x_serve_text(selections->serve, side->atom, NULL);
	x_text_unref(side->text);
	side->text = NULL;
	side->asked = false;
	side->window = XCB_NONE;
}

/* Ends what was begun with the client that held it. */
static void side_forget_theirs(struct selections *selections, struct side *side)
{
	bool fetches = side->fetch != NULL;

	x_fetch_free(side->offer);
	x_fetch_free(side->fetch);
	side->offer = side->fetch = NULL;
	side->target = XCB_NONE;
	if (fetches)
		fetched(selections, side, NULL);
}

/* Another client owns it: has it a text? Many ask the server for the selection again and again while a mouse selects;
 * the host hears of the last one only. */
static void side_look(struct selections *selections, struct side *side)
{
	side_forget_theirs(selections, side);
	side->offer = x_fetch_new(&selections->display, side->atom, selections->display.targets, TARGETS_MAX);
}

static void side_set_target(struct selections *selections, struct side *side, xcb_atom_t target)
{
	side->target = target;
	selections->ops->held(which_of(selections, side), target != XCB_NONE, selections->userdata);
}

static xcb_atom_t text_target(const struct x_display *display, const void *data, size_t size)
{
	xcb_atom_t found = XCB_NONE, target;

	for (size_t at = 0; at + sizeof(target) <= size; at += sizeof(target)) {
		memcpy(&target, (const char *)data + at, sizeof(target));
		if (target == display->utf8_string)
			return target;
		if (target == XCB_ATOM_STRING)
			found = target;
	}
	return found;
}

static void offer_ended(struct selections *selections, struct side *side)
{
	struct x_fetch *offer = steal_ptr(side->offer);
	xcb_atom_t type, target = XCB_NONE;
	uint8_t format;
	size_t size;
	const void *data = x_fetch_data(offer, &type, &format, &size);

	/* Old ones say TARGETS for ATOM. */
	if (data && format == 32 && (type == XCB_ATOM_ATOM || type == selections->display.targets))
		target = text_target(&selections->display, data, size);
	x_fetch_free(offer);
	side_set_target(selections, side, target);
}

/* The caller's, or NULL. */
static struct x_text *text_of(const struct selections *selections, struct x_fetch *fetch)
{
	xcb_atom_t type;
	uint8_t format;
	size_t size;
	char *data = x_fetch_data(fetch, &type, &format, &size);
	struct x_text *text = NULL;

	if (!data || format != 8)
		return NULL;
	while (size > 0 && data[size - 1] == '\0')
		size--;
	if (type == selections->display.utf8_string) {
		text_mend(data, size);
		text = x_text_new(data, size);
	} else if (type == XCB_ATOM_STRING) {
		text = x_text_from_latin1(data, size);
		if (text)
			text_mend(text->data, text->size); /* NULs */
	}
	if (text && text->size > selections->text_max) {
		x_text_unref(text);
		text = NULL;
	}
	return text;
}

static void fetch_ended(struct selections *selections, struct side *side)
{
	struct x_fetch *fetch = steal_ptr(side->fetch);
	struct x_text *text = text_of(selections, fetch);

	x_fetch_free(fetch);
	if (!text)
		log_info("a copied text could not be had from its program, or is too long");
	fetched(selections, side, text);
	x_text_unref(text);
}

static bool is_older(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static void on_owner(struct selections *selections, const xcb_generic_event_t *generic)
{
	const xcb_xfixes_selection_notify_event_t *event = (const xcb_xfixes_selection_notify_event_t *)generic;
	struct side *side = side_of(selections, event->selection);

	if (!side)
		return;
	if (side->window && event->owner == side->window) {
		side->since = event->selection_timestamp;
		return;
	}
	/* What was before we took it is of no interest any more. */
	if (side->window && is_older(generic->full_sequence, side->sequence))
		return;
	if (side->window) {
		xcb_destroy_window(selections->display.connection, side->window);
		side_forget_ours(selections, side);
	}
	if (event->owner != XCB_NONE) {
		side_look(selections, side);
	} else {
		side_forget_theirs(selections, side);
		side_set_target(selections, side, XCB_NONE);
	}
}

static void on_request(struct selections *selections, const xcb_selection_request_event_t *request)
{
	struct side *side = side_of(selections, request->selection);

	if (!side || !side->window || request->owner != side->window) {
		x_serve_refuse(selections->serve, request);
		return;
	}
	if (!x_serve_request(selections->serve, request, side->since))
		return;
	if (side->text) {
		x_serve_text(selections->serve, side->atom, side->text);
	} else if (!side->asked) {
		side->asked = true;
		selections->ops->wanted(which_of(selections, side), selections->userdata);
	}
}

static void on_event(struct selections *selections, const xcb_generic_event_t *event)
{
	uint8_t type = event->response_type & 0x7f;

	if (type == selections->xfixes_event + XCB_XFIXES_SELECTION_NOTIFY)
		on_owner(selections, event);
	if (type == XCB_SELECTION_REQUEST)
		on_request(selections, (const xcb_selection_request_event_t *)event);
	x_serve_event(selections->serve, event);
	for (int i = 0; i < SELECTION_COUNT; i++) {
		struct side *side = &selections->sides[i];

		if (side->offer && x_fetch_event(side->offer, event))
			offer_ended(selections, side);
		if (side->fetch && x_fetch_event(side->fetch, event))
			fetch_ended(selections, side);
	}
}

/* Takes what libxcb has read, also with the replies that were waited for. */
static void on_x(uint32_t events, void *userdata)
{
	struct selections *selections = userdata;
	xcb_connection_t *connection = selections->display.connection;
	xcb_generic_event_t *event;

	(void)events;
	while ((event = xcb_poll_for_event(connection))) {
		on_event(selections, event);
		free(event);
	}
	xcb_flush(connection);
	if (xcb_connection_has_error(connection)) {
		watch_free(selections->watch);
		selections->watch = NULL;
		selections->ops->lost(selections->userdata);
	}
}

static void on_timer(uint32_t events, void *userdata)
{
	struct selections *selections = userdata;

	(void)events;
	x_serve_tick(selections->serve);
	for (int i = 0; i < SELECTION_COUNT; i++) {
		struct side *side = &selections->sides[i];

		if (side->offer && x_fetch_tick(side->offer))
			offer_ended(selections, side);
		if (side->fetch && x_fetch_tick(side->fetch))
			fetch_ended(selections, side);
		/* The host may have lost a question: the next paste asks anew. */
		side->asked = side->asked && x_serve_waits(selections->serve, side->atom);
	}
	if (selections->watch)
		on_x(0, selections);
}

static int find_xfixes(struct selections *selections)
{
	xcb_connection_t *connection = selections->display.connection;
	const xcb_query_extension_reply_t *extension = xcb_get_extension_data(connection, &xcb_xfixes_id);
	_cleanup_free_ xcb_xfixes_query_version_reply_t *version = NULL;

	if (!extension || !extension->present)
		return -ENOTSUP;
	selections->xfixes_event = extension->first_event;
	version = xcb_xfixes_query_version_reply(
	    connection, xcb_xfixes_query_version(connection, XCB_XFIXES_MAJOR_VERSION, XCB_XFIXES_MINOR_VERSION), NULL);
	return version ? 0 : -EIO;
}

/* Somebody may hold it already. */
static void side_start(struct selections *selections, struct side *side, xcb_atom_t atom)
{
	xcb_connection_t *connection = selections->display.connection;
	_cleanup_free_ xcb_get_selection_owner_reply_t *owner = NULL;

	side->atom = atom;
	xcb_xfixes_select_selection_input(connection, selections->display.root, atom, OWNER_EVENTS);
	owner = xcb_get_selection_owner_reply(connection, xcb_get_selection_owner(connection, atom), NULL);
	if (owner && owner->owner != XCB_NONE)
		side_look(selections, side);
}

static int selections_start(struct selections *selections)
{
	xcb_screen_t *screen;
	int r = x_connect(&selections->display.connection, &screen);

	if (r < 0)
		return r;
	selections->display.root = screen->root;
	r = x_display_atoms(&selections->display);
	if (r == 0)
		r = find_xfixes(selections);
	if (r < 0)
		return r;
	selections->serve = x_serve_new(&selections->display);
	if (!selections->serve)
		return -ENOMEM;
	side_start(selections, &selections->sides[SELECTION_CLIPBOARD], selections->display.clipboard);
	side_start(selections, &selections->sides[SELECTION_PRIMARY], XCB_ATOM_PRIMARY);
	xcb_flush(selections->display.connection);
	r = loop_watch(selections->loop, xcb_get_file_descriptor(selections->display.connection), EPOLLIN, on_x,
		       selections, &selections->watch);
	/* The first tick takes events that came with the replies so far. */
	return r < 0 ? r : loop_every(selections->loop, TICK_MS, on_timer, selections, &selections->timer);
}

int selections_new(struct loop *loop, size_t text_max, const struct selections_ops *ops, void *userdata,
		   struct selections **ret)
{
	struct selections *selections = calloc(1, sizeof(*selections));
	int r;

	if (!selections)
		return -ENOMEM;
	*selections = (struct selections){.loop = loop, .text_max = text_max, .ops = ops, .userdata = userdata};
	r = selections_start(selections);
	if (r < 0) {
		selections_free(selections);
		return r;
	}
	*ret = selections;
	return 0;
}

void selections_free(struct selections *selections)
{
	if (!selections)
		return;
	watch_free(selections->timer);
	watch_free(selections->watch);
	for (int i = 0; i < SELECTION_COUNT; i++) {
		x_fetch_free(selections->sides[i].offer);
		x_fetch_free(selections->sides[i].fetch);
		x_text_unref(selections->sides[i].text);
	}
	x_serve_free(selections->serve);
	if (selections->display.connection)
		xcb_disconnect(selections->display.connection);
	free(selections);
}

bool selection_fetch(struct selections *selections, enum selection which)
{
	struct side *side = &selections->sides[which];

	if (!side->target)
		return false;
	if (!side->fetch)
		side->fetch = x_fetch_new(&selections->display, side->atom, side->target, selections->text_max);
	xcb_flush(selections->display.connection);
	return side->fetch != NULL;
}

void selection_own(struct selections *selections, enum selection which)
{
	struct side *side = &selections->sides[which];
	xcb_connection_t *connection = selections->display.connection;
	xcb_window_t before = side->window;

	side_forget_ours(selections, side);
	side->window = x_display_window(&selections->display, 0);
	side->since = XCB_CURRENT_TIME;
	side->sequence = xcb_set_selection_owner(connection, side->window, side->atom, XCB_CURRENT_TIME).sequence;
	if (before)
		xcb_destroy_window(connection, before);
	side_forget_theirs(selections, side);
	xcb_flush(connection);
}

void selection_disown(struct selections *selections, enum selection which)
{
	struct side *side = &selections->sides[which];
	xcb_window_t window = side->window;

	if (!window)
		return;
	side_forget_ours(selections, side);
	/* The selection goes with its owner; another client's stays. */
	xcb_destroy_window(selections->display.connection, window);
	xcb_flush(selections->display.connection);
}

void selection_give(struct selections *selections, enum selection which, const char *text, size_t size)
{
	struct side *side = &selections->sides[which];

	if (!side->window || !side->asked)
		return;
	side->asked = false;
	/* An empty one is none, or the next paste would not ask again. */
	if (text && size > 0 && size <= selections->text_max)
		side->text = x_text_new(text, size);
	if (side->text)
		text_mend(side->text->data, size);
	x_serve_text(selections->serve, side->atom, side->text);
	xcb_flush(selections->display.connection);
}
