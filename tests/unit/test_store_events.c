/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What strangers and guests cause is kept in bounds, and pushes nothing else out of the store. */
#include "common/cleanup.h"
#include "tests/unit/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void events_are_capped(void **state)
{
	struct fixture *f = *state;
	struct event_row event = {.time = 1, .kind = "login", .user = "anna", .text = "logged in"};
	_cleanup_free_ struct event_row *rows = NULL;
	size_t n = 0;

	assert_int_equal(store_begin(f->store), 0);
	for (int i = 0; i < STORE_EVENTS_MAX + 25; i++)
		assert_int_equal(store_event_add(f->store, &event), 0);
	assert_int_equal(store_commit(f->store), 0);
	assert_int_equal(store_events(f->store, 2 * (size_t)STORE_EVENTS_MAX, &rows, &n), 0);
	assert_int_equal(n, STORE_EVENTS_MAX);
	assert_int_equal(rows[0].id, STORE_EVENTS_MAX + 25);
	assert_string_equal(rows[0].text, "logged in");
}

static void add_refusal(struct fixture *f, int64_t time, const char *user, uint32_t count)
{
	struct refusal_row row = {.time = time, .count = count, .address = "192.0.2.1", .reason = "Wrong password."};

	snprintf(row.user, sizeof(row.user), "%s", user);
	assert_int_equal(store_refusal_add(f->store, &row), 0);
}

static void refusals_of_a_minute_are_one_event(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ struct event_row *rows = NULL;
	size_t n = 0;

	add_refusal(f, 600, "anna", 1);
	add_refusal(f, 601, "bert", 1);
	add_refusal(f, 602, "anna", 2);
	add_refusal(f, 660, "anna", 1);
	assert_int_equal(store_events(f->store, 10, &rows, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(rows[0].text, "login from 192.0.2.1 refused: Wrong password.");
	assert_string_equal(rows[1].kind, "login-refused");
	assert_string_equal(rows[1].user, "anna");
	assert_string_equal(rows[1].text, "login from 192.0.2.1 refused 3 times: Wrong password.");
	assert_int_equal(rows[1].time, 602);
	assert_string_equal(rows[2].user, "bert");
}

static void refusals_push_out_only_refusals(void **state)
{
	struct fixture *f = *state;
	struct event_row event = {.time = 1, .kind = "login", .user = "anna", .text = "logged in"};
	_cleanup_free_ struct event_row *rows = NULL;
	size_t n = 0;

	assert_int_equal(store_event_add(f->store, &event), 0);
	assert_int_equal(store_begin(f->store), 0);
	for (int i = 0; i < STORE_REFUSALS_MAX + 25; i++)
		add_refusal(f, 60 * (int64_t)i, "mallory", 1);
	assert_int_equal(store_commit(f->store), 0);
	assert_int_equal(store_events(f->store, 2 * (size_t)STORE_EVENTS_MAX, &rows, &n), 0);
	assert_int_equal(n, STORE_REFUSALS_MAX + 1);
	assert_int_equal(rows[0].time, 60 * (STORE_REFUSALS_MAX + 24));
	assert_string_equal(rows[STORE_REFUSALS_MAX - 1].kind, "login-refused");
	assert_string_equal(rows[STORE_REFUSALS_MAX].kind, "login");
}

static void add_copy(struct fixture *f, int64_t time, const char *desktop, bool out, uint32_t count, int64_t bytes)
{
	struct copy_row row = {
	    .time = time, .count = count, .bytes = bytes, .out = out, .user = "anna", .pool = "office"};

	snprintf(row.desktop, sizeof(row.desktop), "%s", desktop);
	assert_int_equal(store_copy_add(f->store, &row), 0);
}

static void copies_of_a_minute_are_one_event_for_each_way(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ struct event_row *rows = NULL;
	size_t n = 0;

	add_copy(f, 600, "office-a", false, 1, 5);
	add_copy(f, 601, "office-a", true, 1, 8388608);
	add_copy(f, 602, "office-a", false, 2, 7);
	add_copy(f, 603, "office-b", false, 1, 1);
	add_copy(f, 660, "office-a", false, 1, 6);
	assert_int_equal(store_events(f->store, 10, &rows, &n), 0);
	assert_int_equal(n, 4);
	assert_string_equal(rows[0].text, "in 6 bytes");
	assert_string_equal(rows[0].kind, "clipboard");
	assert_string_equal(rows[0].user, "anna");
	assert_string_equal(rows[0].pool, "office");
	assert_string_equal(rows[1].desktop, "office-b");
	assert_string_equal(rows[2].text, "in 3 times 12 bytes");
	assert_int_equal(rows[2].time, 602);
	assert_string_equal(rows[3].text, "out 8388608 bytes");
}

static void copies_push_out_only_copies(void **state)
{
	struct fixture *f = *state;
	struct event_row event = {.time = 1, .kind = "login", .user = "anna", .text = "logged in"};
	_cleanup_free_ struct event_row *rows = NULL;
	size_t n = 0;

	assert_int_equal(store_event_add(f->store, &event), 0);
	assert_int_equal(store_begin(f->store), 0);
	for (int i = 0; i < STORE_COPIES_MAX + 25; i++)
		add_copy(f, 60 * (int64_t)i, "office-a", true, 1, 1);
	assert_int_equal(store_commit(f->store), 0);
	assert_int_equal(store_events(f->store, 2 * (size_t)STORE_COPIES_MAX, &rows, &n), 0);
	assert_int_equal(n, STORE_COPIES_MAX + 1);
	assert_string_equal(rows[STORE_COPIES_MAX].kind, "login");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_set_up, store_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(events_are_capped),
	    TEST(refusals_of_a_minute_are_one_event),
	    TEST(refusals_push_out_only_refusals),
	    TEST(copies_of_a_minute_are_one_event_for_each_way),
	    TEST(copies_push_out_only_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
