/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The agent's side of the X selections, on an Xvfb with xclip and with clients that do what xclip never would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "guest-agent/selection.h"
#include "guest-agent/x_serve.h"
#include "tests/unit/x_world.h"

#include <signal.h>

#define LONG_SIZE ((size_t)5 << 20)
#define TEXT_MAX ((size_t)8 << 20)

struct seen {
	unsigned held, not_held, fetched, wanted;
	char *text; /* the last fetched; NULL: none had come */
	size_t size;
};

struct setup {
	struct x_world world;
	struct selections *selections;
	struct seen seen[SELECTION_COUNT];
	bool lost;
	/* The client of the test itself. */
	struct x_display client;
};

static void on_held(enum selection which, bool held, void *userdata)
{
	struct setup *s = userdata;

	if (held)
		s->seen[which].held++;
	else
		s->seen[which].not_held++;
}

static void on_fetched(enum selection which, const char *text, size_t size, void *userdata)
{
	struct setup *s = userdata;
	struct seen *seen = &s->seen[which];

	seen->fetched++;
	free(seen->text);
	seen->text = text ? malloc(size + 1) : NULL;
	seen->size = size;
	if (text)
		memcpy(seen->text, text, size);
}

static void on_wanted(enum selection which, void *userdata)
{
	struct setup *s = userdata;

	s->seen[which].wanted++;
}

static void on_lost(void *userdata)
{
	struct setup *s = userdata;

	s->lost = true;
}

static const struct selections_ops ops = {.held = on_held, .fetched = on_fetched, .wanted = on_wanted, .lost = on_lost};

static void begin(struct setup *s, size_t text_max)
{
	assert_int_equal(selections_new(s->world.loop, text_max, &ops, s, &s->selections), 0);
}

static int set_up(void **state)
{
	struct setup *s = calloc(1, sizeof(*s));

	x_world_new(&s->world);
	x_world_start(&s->world);
	s->client.connection = xcb_connect(NULL, NULL);
	s->client.root = xcb_setup_roots_iterator(xcb_get_setup(s->client.connection)).data->root;
	assert_int_equal(x_display_atoms(&s->client), 0);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct setup *s = *state;

	selections_free(s->selections);
	xcb_disconnect(s->client.connection);
	for (int i = 0; i < SELECTION_COUNT; i++)
		free(s->seen[i].text);
	x_world_clear(&s->world);
	free(s);
	return 0;
}

static bool is_held(void *seen)
{
	return ((struct seen *)seen)->held > 0;
}

static bool is_not_held(void *seen)
{
	return ((struct seen *)seen)->not_held > 0;
}

static bool is_fetched(void *seen)
{
	return ((struct seen *)seen)->fetched > 0;
}

static bool is_wanted(void *seen)
{
	return ((struct seen *)seen)->wanted > 0;
}

static bool has_owner(void *userdata)
{
	struct setup *s = userdata;
	_cleanup_free_ xcb_get_selection_owner_reply_t *owner = xcb_get_selection_owner_reply(
	    s->client.connection, xcb_get_selection_owner(s->client.connection, s->client.clipboard), NULL);

	return owner && owner->owner != XCB_NONE;
}

static void own(struct setup *s)
{
	selection_own(s->selections, SELECTION_CLIPBOARD);
	x_world_run(&s->world, "the host's selection", has_owner, s);
}

static void expect_copy(struct setup *s, enum selection which, const char *name, const char *text, size_t size)
{
	struct seen *seen = &s->seen[which];
	pid_t xclip = x_world_copy(&s->world, name, text, size);

	x_world_run(&s->world, "the copied text", is_held, seen);
	assert_int_equal(seen->fetched, 0); /* nobody has asked */
	assert_true(selection_fetch(s->selections, which));
	x_world_run(&s->world, "the text", is_fetched, seen);
	assert_non_null(seen->text);
	assert_int_equal(seen->size, size);
	assert_memory_equal(seen->text, text, size);
	x_world_end(xclip);
	x_world_run(&s->world, "the end of the owner", is_not_held, seen);
	assert_false(selection_fetch(s->selections, which));
}

static void a_text_of_a_program_is_told_and_comes_when_asked_for(void **state)
{
	struct setup *s = *state;

	begin(s, TEXT_MAX);
	expect_copy(s, SELECTION_CLIPBOARD, "clipboard", X_WORLD_TEXT, strlen(X_WORLD_TEXT));
	expect_copy(s, SELECTION_PRIMARY, "primary", "x", 1);
}

static void a_long_text_of_a_program_comes_whole(void **state)
{
	struct setup *s = *state;
	_cleanup_free_ char *text = x_world_long_text(LONG_SIZE);

	begin(s, TEXT_MAX);
	expect_copy(s, SELECTION_CLIPBOARD, "clipboard", text, LONG_SIZE);
}

static void a_text_that_was_copied_before_is_told(void **state)
{
	struct setup *s = *state;
	pid_t xclip = x_world_copy(&s->world, "clipboard", "before", 6);

	x_world_run(&s->world, "xclip", has_owner, s);
	begin(s, TEXT_MAX);
	x_world_run(&s->world, "the text from before", is_held, &s->seen[SELECTION_CLIPBOARD]);
	x_world_end(xclip);
}

static void a_text_over_the_limit_is_none(void **state)
{
	struct setup *s = *state;
	_cleanup_free_ char *text = x_world_long_text(LONG_SIZE);
	struct seen *seen = &s->seen[SELECTION_CLIPBOARD];
	const size_t sizes[] = {1001, LONG_SIZE}; /* whole, and by INCR */

	begin(s, 1000);
	for (size_t i = 0; i < 2; i++) {
		pid_t xclip = x_world_copy(&s->world, "clipboard", text, sizes[i]);

		*seen = (struct seen){0};
		x_world_run(&s->world, "the copied text", is_held, seen);
		assert_true(selection_fetch(s->selections, SELECTION_CLIPBOARD));
		x_world_run(&s->world, "an answer", is_fetched, seen);
		assert_null(seen->text);
		x_world_end(xclip);
	}
}

static void expect_paste(struct setup *s, const char *target, const char *text, size_t size)
{
	struct x_world_paste paste;

	x_world_paste(&s->world, "clipboard", target, &paste);
	x_world_run(&s->world, "a paste", x_world_pasted, &paste);
	assert_int_equal(paste.status, 0);
	assert_int_equal(paste.size, size);
	assert_memory_equal(paste.text, text, size);
	free(paste.text);
}

static void the_host_s_text_is_asked_for_once_and_pasted_by_all(void **state)
{
	struct setup *s = *state;
	struct seen *seen = &s->seen[SELECTION_CLIPBOARD];
	struct x_world_paste first, second;

	begin(s, TEXT_MAX);
	own(s);
	x_world_paste(&s->world, "clipboard", "UTF8_STRING", &first);
	x_world_paste(&s->world, "clipboard", "STRING", &second);
	x_world_run(&s->world, "a paste", is_wanted, seen);
	selection_give(s->selections, SELECTION_CLIPBOARD, "na\xc3\xafve " X_WORLD_TEXT, 7 + strlen(X_WORLD_TEXT));
	x_world_run(&s->world, "the first", x_world_pasted, &first);
	x_world_run(&s->world, "the second", x_world_pasted, &second);
	assert_string_equal(first.text, "na\xc3\xafve " X_WORLD_TEXT);
	assert_string_equal(second.text, "na\xefve ????");
	free(first.text);
	free(second.text);
	expect_paste(s, "TEXT", "na\xc3\xafve " X_WORLD_TEXT, 7 + strlen(X_WORLD_TEXT));
	assert_int_equal(seen->wanted, 1);
	assert_int_equal(seen->held, 0);
}

static void a_long_text_of_the_host_is_pasted_whole(void **state)
{
	struct setup *s = *state;
	_cleanup_free_ char *text = x_world_long_text(LONG_SIZE);
	struct x_world_paste first, second;

	begin(s, TEXT_MAX);
	own(s);
	x_world_paste(&s->world, "clipboard", "UTF8_STRING", &first);
	x_world_paste(&s->world, "clipboard", "UTF8_STRING", &second);
	x_world_run(&s->world, "a paste", is_wanted, &s->seen[SELECTION_CLIPBOARD]);
	selection_give(s->selections, SELECTION_CLIPBOARD, text, LONG_SIZE);
	x_world_run(&s->world, "the first", x_world_pasted, &first);
	x_world_run(&s->world, "the second", x_world_pasted, &second);
	assert_int_equal(first.size, LONG_SIZE);
	assert_memory_equal(first.text, text, LONG_SIZE);
	assert_int_equal(second.size, LONG_SIZE);
	free(first.text);
	free(second.text);
}

static bool has_no_owner(void *s)
{
	return !has_owner(s);
}

static void letting_go_leaves_the_selection_of_another_alone(void **state)
{
	struct setup *s = *state;
	struct seen *seen = &s->seen[SELECTION_CLIPBOARD];
	struct x_world_paste paste;
	pid_t xclip;

	begin(s, TEXT_MAX);
	own(s);
	selection_disown(s->selections, SELECTION_CLIPBOARD);
	x_world_run(&s->world, "no owner", has_no_owner, s);
	own(s);
	x_world_paste(&s->world, "clipboard", "UTF8_STRING", &paste);
	x_world_run(&s->world, "a paste", is_wanted, seen);
	/* Another one takes it, before the text has come: the paste ends. */
	xclip = x_world_copy(&s->world, "clipboard", "mine", 4);
	x_world_run(&s->world, "another owner", is_held, seen);
	x_world_run(&s->world, "the end of the paste", x_world_pasted, &paste);
	/* xclip may have asked once more. */
	assert_true(!paste.text || strcmp(paste.text, "mine") == 0);
	free(paste.text);
	selection_give(s->selections, SELECTION_CLIPBOARD, "late", 4);
	selection_disown(s->selections, SELECTION_CLIPBOARD);
	expect_paste(s, "UTF8_STRING", "mine", 4);
	x_world_end(xclip);
}

static void a_new_text_of_the_host_replaces_the_former(void **state)
{
	struct setup *s = *state;
	struct seen *seen = &s->seen[SELECTION_CLIPBOARD];
	const char *const texts[] = {"one", "two"};

	begin(s, TEXT_MAX);
	for (size_t i = 0; i < 2; i++) {
		struct x_world_paste paste;

		*seen = (struct seen){0};
		own(s);
		x_world_paste(&s->world, "clipboard", "UTF8_STRING", &paste);
		x_world_run(&s->world, "a paste", is_wanted, seen);
		selection_give(s->selections, SELECTION_CLIPBOARD, texts[i], 3);
		x_world_run(&s->world, "its end", x_world_pasted, &paste);
		assert_string_equal(paste.text, texts[i]);
		free(paste.text);
	}
}

/* The next event of the test's own client, of this type. The agent is run meanwhile. */
struct wait {
	struct setup *s;
	uint8_t type;
	xcb_generic_event_t *event;
};

static bool has_event(void *userdata)
{
	struct wait *wait = userdata;

	while ((wait->event = xcb_poll_for_event(wait->s->client.connection))) {
		if ((wait->event->response_type & 0x7f) == wait->type)
			return true;
		free(wait->event);
	}
	return false;
}

static void *expect_event(struct setup *s, uint8_t type)
{
	struct wait wait = {.s = s, .type = type};

	x_world_run(&s->world, "an event", has_event, &wait);
	return wait.event;
}

static void client_notify(struct setup *s, const xcb_selection_request_event_t *request, xcb_atom_t property)
{
	union {
		xcb_selection_notify_event_t event;
		char bytes[32];
	} wire = {.event = {.response_type = XCB_SELECTION_NOTIFY,
			    .requestor = request->requestor,
			    .selection = request->selection,
			    .target = request->target,
			    .property = property}};

	xcb_send_event(s->client.connection, 0, request->requestor, 0, wire.bytes);
	xcb_flush(s->client.connection);
}

/* The client takes CLIPBOARD and offers this one target. */
static void client_owns(struct setup *s, xcb_atom_t target)
{
	xcb_window_t window = x_display_window(&s->client, 0);
	_cleanup_free_ xcb_selection_request_event_t *request = NULL;

	xcb_set_selection_owner(s->client.connection, window, s->client.clipboard, XCB_CURRENT_TIME);
	xcb_flush(s->client.connection);
	request = expect_event(s, XCB_SELECTION_REQUEST);
	assert_int_equal(request->target, s->client.targets);
	xcb_change_property(s->client.connection, XCB_PROP_MODE_REPLACE, request->requestor, request->property,
			    XCB_ATOM_ATOM, 32, 1, &target);
	client_notify(s, request, request->property);
}

static void what_is_no_text_is_not_told(void **state)
{
	struct setup *s = *state;

	begin(s, TEXT_MAX);
	client_owns(s, XCB_ATOM_PIXMAP);
	x_world_run(&s->world, "the news", is_not_held, &s->seen[SELECTION_CLIPBOARD]);
	assert_int_equal(s->seen[SELECTION_CLIPBOARD].held, 0);
	assert_false(selection_fetch(s->selections, SELECTION_CLIPBOARD));
}

static void an_owner_that_never_answers_is_given_up(void **state)
{
	struct setup *s = *state;
	struct seen *seen = &s->seen[SELECTION_CLIPBOARD];

	begin(s, TEXT_MAX);
	client_owns(s, s->client.utf8_string);
	x_world_run(&s->world, "the offer", is_held, seen);
	assert_true(selection_fetch(s->selections, SELECTION_CLIPBOARD));
	free(expect_event(s, XCB_SELECTION_REQUEST));
	assert_int_equal(seen->fetched, 0);
	x_world_skipped += 11;
	x_world_run(&s->world, "the end of it", is_fetched, seen);
	assert_null(seen->text);
}

/* The first piece of many has come, and no other comes. */
static void an_owner_that_stops_in_the_middle_is_given_up(void **state)
{
	struct setup *s = *state;
	struct seen *seen = &s->seen[SELECTION_CLIPBOARD];
	_cleanup_free_ xcb_selection_request_event_t *request = NULL;
	const uint32_t lie = UINT32_MAX, watch = XCB_EVENT_MASK_PROPERTY_CHANGE;

	begin(s, TEXT_MAX);
	client_owns(s, s->client.utf8_string);
	x_world_run(&s->world, "the offer", is_held, seen);
	assert_true(selection_fetch(s->selections, SELECTION_CLIPBOARD));
	request = expect_event(s, XCB_SELECTION_REQUEST);
	xcb_change_window_attributes(s->client.connection, request->requestor, XCB_CW_EVENT_MASK, &watch);
	xcb_change_property(s->client.connection, XCB_PROP_MODE_REPLACE, request->requestor, request->property,
			    s->client.incr, 32, 1, &lie);
	client_notify(s, request, request->property);
	free(expect_event(s, XCB_PROPERTY_NOTIFY)); /* put */
	free(expect_event(s, XCB_PROPERTY_NOTIFY)); /* and taken */
	xcb_change_property(s->client.connection, XCB_PROP_MODE_REPLACE, request->requestor, request->property,
			    s->client.utf8_string, 8, 4, "half");
	xcb_flush(s->client.connection);
	free(expect_event(s, XCB_PROPERTY_NOTIFY));
	free(expect_event(s, XCB_PROPERTY_NOTIFY));
	assert_int_equal(seen->fetched, 0);
	x_world_skipped += 11;
	x_world_run(&s->world, "the end of it", is_fetched, seen);
	assert_null(seen->text);
}

static void client_asks(struct setup *s, xcb_window_t window, xcb_atom_t property)
{
	xcb_convert_selection(s->client.connection, window, s->client.clipboard, s->client.utf8_string, property,
			      XCB_CURRENT_TIME);
	xcb_flush(s->client.connection);
}

static void expect_refusal(struct setup *s)
{
	_cleanup_free_ xcb_selection_notify_event_t *notify = expect_event(s, XCB_SELECTION_NOTIFY);

	assert_int_equal(notify->property, XCB_NONE);
}

static void what_the_host_has_no_text_for_is_pasted_by_nobody(void **state)
{
	struct setup *s = *state;
	struct seen *seen = &s->seen[SELECTION_CLIPBOARD];
	xcb_window_t window = x_display_window(&s->client, 0);

	begin(s, TEXT_MAX);
	own(s);
	client_asks(s, window, 1);
	x_world_run(&s->world, "a paste", is_wanted, seen);
	selection_give(s->selections, SELECTION_CLIPBOARD, NULL, 0);
	expect_refusal(s);
	/* The next one asks anew, and does not wait for ever. */
	seen->wanted = 0;
	client_asks(s, window, 1);
	x_world_run(&s->world, "another paste", is_wanted, seen);
	x_world_skipped += 11;
	expect_refusal(s);
	seen->wanted = 0;
	client_asks(s, window, 1);
	x_world_run(&s->world, "a third paste", is_wanted, seen);
	/* An empty text is none. */
	selection_give(s->selections, SELECTION_CLIPBOARD, "", 0);
	expect_refusal(s);
	seen->wanted = 0;
	client_asks(s, window, 1);
	x_world_run(&s->world, "a fourth paste", is_wanted, seen);
}

/* It asks for more than its share, and takes nothing. */
static void a_client_that_takes_nothing_holds_up_itself_alone(void **state)
{
	struct setup *s = *state;
	_cleanup_free_ char *text = x_world_long_text(LONG_SIZE);
	xcb_window_t window = x_display_window(&s->client, 0);
	unsigned given = 0, refused = 0;

	begin(s, TEXT_MAX);
	own(s);
	client_asks(s, window, 1);
	x_world_run(&s->world, "a paste", is_wanted, &s->seen[SELECTION_CLIPBOARD]);
	selection_give(s->selections, SELECTION_CLIPBOARD, text, LONG_SIZE);
	for (xcb_atom_t property = 2; property <= X_SERVE_CLIENT_MAX + 4; property++)
		client_asks(s, window, property);
	for (unsigned i = 0; i < X_SERVE_CLIENT_MAX + 4; i++) {
		_cleanup_free_ xcb_selection_notify_event_t *notify = expect_event(s, XCB_SELECTION_NOTIFY);

		given += notify->property != XCB_NONE;
		refused += notify->property == XCB_NONE;
	}
	assert_int_equal(given, X_SERVE_CLIENT_MAX);
	assert_int_equal(refused, 4);
	expect_paste(s, "UTF8_STRING", text, LONG_SIZE);
	/* Its places are free again after a while. */
	x_world_skipped += 11;
	for (bool free_again = false; !free_again;) {
		_cleanup_free_ xcb_selection_notify_event_t *notify = NULL;

		client_asks(s, window, 99);
		notify = expect_event(s, XCB_SELECTION_NOTIFY);
		free_again = notify->property != XCB_NONE;
	}
}

static bool is_lost(void *s)
{
	return ((struct setup *)s)->lost;
}

static void the_end_of_the_server_is_told(void **state)
{
	struct setup *s = *state;

	begin(s, TEXT_MAX);
	kill(s->world.server, SIGKILL);
	x_world_run(&s->world, "the end", is_lost, s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    TEST(a_text_of_a_program_is_told_and_comes_when_asked_for),
	    TEST(a_long_text_of_a_program_comes_whole),
	    TEST(a_text_that_was_copied_before_is_told),
	    TEST(a_text_over_the_limit_is_none),
	    TEST(the_host_s_text_is_asked_for_once_and_pasted_by_all),
	    TEST(a_long_text_of_the_host_is_pasted_whole),
	    TEST(what_the_host_has_no_text_for_is_pasted_by_nobody),
	    TEST(letting_go_leaves_the_selection_of_another_alone),
	    TEST(a_new_text_of_the_host_replaces_the_former),
	    TEST(what_is_no_text_is_not_told),
	    TEST(an_owner_that_never_answers_is_given_up),
	    TEST(an_owner_that_stops_in_the_middle_is_given_up),
	    TEST(a_client_that_takes_nothing_holds_up_itself_alone),
	    TEST(the_end_of_the_server_is_told),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
