/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the broker does for the clipboard of a watched desktop: the vdagent port, what the pool allows, the audit. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "display/screen/screen_api.h"
#include "tests/unit/broker_fakes.h"
#include "tests/unit/broker_world.h"

static struct fake_process *screen(void)
{
	return fake_process(SPAWN_SCREEN, first_desktop()->row.slot);
}

static void allow(enum pool_clipboard clipboard, bool primary)
{
	struct pool pool;

	assert_int_equal(store_pool_get(world.broker->store, "desk", &pool), 0);
	pool.clipboard = clipboard;
	pool.clipboard_primary = primary;
	assert_int_equal(store_pool_update(world.broker->store, &pool), 0);
	broker_pools_changed(world.broker);
	settle();
}

static void a_screen_gets_the_port_and_what_the_pool_allows(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 1, 0);
	allow(POOL_CLIPBOARD_OUT, true);
	log_in("alice");
	assert_true(screen()->vdagent);
	assert_int_equal(screen()->n_vdagents, 1);
	assert_int_equal(screen()->allowed, SCREEN_CLIPBOARD_OUT | SCREEN_CLIPBOARD_PRIMARY);
	assert_int_equal(screen()->clipboard_max, 8 << 20);
	assert_int_equal(screen()->n_policies, 1);
	assert_non_null(strstr(display(0)->arguments, " --clipboard-max 8388608"));
}

static void what_a_pool_allows_is_changed_under_its_viewers(void **state)
{
	(void)state;
	alice_in_pool(POOL_FLOATING, 1);
	allow(POOL_CLIPBOARD_BOTH, false);
	assert_int_equal(screen()->allowed, SCREEN_CLIPBOARD_IN | SCREEN_CLIPBOARD_OUT);
	allow(POOL_CLIPBOARD_IN, true);
	assert_int_equal(screen()->allowed, SCREEN_CLIPBOARD_IN | SCREEN_CLIPBOARD_PRIMARY);
	allow(POOL_CLIPBOARD_NONE, true);
	assert_int_equal(screen()->allowed, 0);
	assert_int_equal(screen()->n_policies, 4);
	/* Nothing of it was changed. */
	broker_pools_changed(world.broker);
	settle();
	assert_int_equal(screen()->n_policies, 4);
	assert_int_equal(screen()->n_vdagents, 1);
}

static void a_lost_port_is_asked_for_anew(void **state)
{
	(void)state;
	alice_in_pool(POOL_FLOATING, 1);
	for (unsigned n = 2; n < 4; n++) {
		fake_screen_loses_vdagent(first_desktop()->row.slot);
		until(screen()->vdagent);
		assert_int_equal(screen()->n_vdagents, n);
	}
	assert_true(display(0)->source);
	assert_int_equal(screen()->n_displays, 1);
}

static void a_port_that_cannot_be_had_costs_nobody_the_picture(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 1, 0);
	fake_host_refuse_vdagents(3);
	log_in("alice");
	assert_true(display(0)->source);
	until(screen()->vdagent);
	assert_int_equal(fake_host_vdagents(), 4);
}

static void a_screen_that_refuses_is_tried_again(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 1, 0);
	allow(POOL_CLIPBOARD_BOTH, false);
	fake_screen_refuses(2, 2);
	log_in("alice");
	assert_true(display(0)->source);
	until(screen()->vdagent && screen()->allowed == (SCREEN_CLIPBOARD_IN | SCREEN_CLIPBOARD_OUT));
	assert_int_equal(screen()->n_vdagents, 3);
}

static void a_screen_without_a_clipboard_is_left_alone(void **state)
{
	(void)state;
	fake_screens_lack_clipboards();
	alice_in_pool(POOL_FLOATING, 1);
	allow(POOL_CLIPBOARD_IN, false);
	assert_true(display(0)->source);
	assert_int_equal(fake_host_vdagents(), 0);
	assert_int_equal(screen()->generation, 1);
}

static void a_new_screen_gets_it_all_again(void **state)
{
	(void)state;
	alice_in_pool(POOL_FLOATING, 1);
	allow(POOL_CLIPBOARD_OUT, false);
	fake_kill(SPAWN_SCREEN, first_desktop()->row.slot);
	until(screen()->generation == 2 && screen()->vdagent);
	assert_int_equal(screen()->allowed, SCREEN_CLIPBOARD_OUT);
}

static void a_restarted_desktop_has_another_port(void **state)
{
	(void)state;
	alice_in_pool(POOL_DEDICATED, 1);
	fake_host_stopped(first_desktop()->row.id, "crash");
	until(first_desktop()->state == DESKTOP_READY && first_desktop()->boot == 2);
	until(display(0)->source && screen()->n_vdagents == 2);
}

/* What the screen has of the old broker is not known to the new one. */
static void a_restarted_broker_gives_port_and_policy_again(void **state)
{
	(void)state;
	alice_in_pool(POOL_FLOATING, 1);
	allow(POOL_CLIPBOARD_OUT, false);
	restart_broker();
	until(screen()->n_vdagents == 2);
	assert_int_equal(screen()->allowed, SCREEN_CLIPBOARD_OUT);
	assert_int_equal(screen()->generation, 1);
	assert_int_equal(screen()->n_displays, 1);
	/* And a change reaches it. */
	allow(POOL_CLIPBOARD_NONE, false);
	assert_int_equal(screen()->allowed, 0);
}

/* The newest event of the clipboard; empty: there is none. */
static struct event_row copy_event(void)
{
	_cleanup_free_ struct event_row *rows = NULL;
	struct event_row found = {0};
	size_t n = 0;

	assert_int_equal(store_events(world.broker->store, 1000, &rows, &n), 0);
	for (size_t i = 0; i < n && !found.kind[0]; i++)
		if (strcmp(rows[i].kind, "clipboard") == 0)
			found = rows[i];
	return found;
}

static void copies_are_audited(void **state)
{
	uint32_t slot;

	(void)state;
	alice_in_pool(POOL_FLOATING, 1);
	slot = first_desktop()->row.slot;
	fake_screen_copied(slot, SCREEN_CLIPBOARD_IN, 12);
	until(strcmp(copy_event().text, "in 12 bytes") == 0);
	assert_string_equal(copy_event().user, "alice");
	assert_string_equal(copy_event().desktop, first_desktop()->row.id);
	assert_string_equal(copy_event().pool, "desk");
	/* No such directions. */
	fake_screen_copied(slot, SCREEN_CLIPBOARD_IN | SCREEN_CLIPBOARD_OUT, 1);
	fake_screen_copied(slot, SCREEN_CLIPBOARD_PRIMARY, 1);
	settle();
	/* What was not written yet is when the broker ends. */
	fake_screen_copied(slot, SCREEN_CLIPBOARD_OUT, 4294967295u);
	fake_screen_copied(slot, SCREEN_CLIPBOARD_OUT, 1);
	settle();
	restart_broker();
	assert_string_equal(copy_event().text, "out 2 times 4294967296 bytes");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_screen_gets_the_port_and_what_the_pool_allows),
	    CASE(what_a_pool_allows_is_changed_under_its_viewers),
	    CASE(a_lost_port_is_asked_for_anew),
	    CASE(a_port_that_cannot_be_had_costs_nobody_the_picture),
	    CASE(a_screen_that_refuses_is_tried_again),
	    CASE(a_screen_without_a_clipboard_is_left_alone),
	    CASE(a_new_screen_gets_it_all_again),
	    CASE(a_restarted_desktop_has_another_port),
	    CASE(a_restarted_broker_gives_port_and_policy_again),
	    CASE(copies_are_audited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
