/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The broker while its store cannot be written, and what it collects before it writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/broker_fakes.h"
#include "tests/unit/broker_world.h"

static void assert_waits_for_the_disk(const struct desktop *desktop)
{
	until(strcmp(display(0)->title, "Waiting for the broker's disk") == 0);
	assert_int_equal(desktop->session.state, SESSION_ACTIVE);
	assert_int_equal(desktop->row.wanted, WANTED_RUNNING);
	assert_false(display(0)->closed);
}

static void a_shutdown_on_a_full_disk_ends_the_session_once_there_is_room(void **state)
{
	struct desktop *desktop;

	(void)state;
	desktop = alice_in_pool(POOL_DEDICATED, 1);
	fill_disk(true);
	fake_host_stopped(desktop->row.id, "guest-shutdown");
	assert_waits_for_the_disk(desktop);
	fill_disk(false);
	/* Whatever else is sent meanwhile does not start it. */
	broker_pools_changed(world.broker);
	until(display(0)->closed);
	assert_string_equal(display(0)->title, "You have logged off");
	settle();
	assert_int_equal(desktop->session.id, 0);
	assert_int_equal(desktop->row.wanted, WANTED_STOPPED);
	assert_string_equal(fake_host_state(desktop->row.id), "stopped");
	assert_int_equal(desktop->boot, 1);
}

static void a_crash_on_a_full_disk_is_mended_once_there_is_room(void **state)
{
	struct desktop *desktop;
	int64_t session;

	(void)state;
	desktop = alice_in_pool(POOL_FLOATING, 1);
	session = desktop->session.id;
	fill_disk(true);
	fake_host_stopped(desktop->row.id, "crash");
	assert_waits_for_the_disk(desktop);
	assert_int_equal(desktop->row.failures, 0);
	fill_disk(false);
	broker_pools_changed(world.broker);
	until(desktop->state == DESKTOP_ABSENT);
	until(desktop->state == DESKTOP_READY && display(0)->source);
	assert_session_goes_on(desktop, session);
	assert_int_equal(desktop->boot, 1); /* of the fresh clone */
	assert_int_equal(desktop->row.failures, 1);
}

static size_t count_refusals(char *text, size_t size)
{
	struct event_row *rows = NULL;
	size_t n = 0, refusals = 0;

	assert_int_equal(store_events(world.broker->store, 1000, &rows, &n), 0);
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].kind, "login-refused") == 0) {
			snprintf(text, size, "%s", rows[i].text);
			refusals++;
		}
	free(rows);
	return refusals;
}

/* On a full disk none of them is written alone. */
static void refused_logins_are_collected(void **state)
{
	struct gate_result result;
	char text[STORE_TEXT_SIZE];

	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	fill_disk(true);
	for (int i = 0; i < 3; i++)
		assert_int_equal(answer_of(knock("mallory"), &result), -1);
	assert_int_equal(count_refusals(text, sizeof(text)), 0);
	fill_disk(false);
	until(count_refusals(text, sizeof(text)) == 1);
	assert_string_equal(text, "login from 192.0.2.1 refused 3 times: Wrong user name or password.");
}

static void a_broker_that_ends_writes_the_refused_logins(void **state)
{
	struct gate_result result;
	char text[STORE_TEXT_SIZE];

	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	answer_of(knock("mallory"), &result);
	restart_broker();
	assert_int_equal(count_refusals(text, sizeof(text)), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_shutdown_on_a_full_disk_ends_the_session_once_there_is_room),
	    CASE(a_crash_on_a_full_disk_is_mended_once_there_is_room),
	    CASE(refused_logins_are_collected),
	    CASE(a_broker_that_ends_writes_the_refused_logins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
