/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The whole broker on a real store, against the neighbours of broker_fakes.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/broker.h"
#include "broker/desktop.h"
#include "broker/gate_api.h"
#include "broker/viewer.h"
#include "common/cleanup.h"
#include "common/packet.h"
#include "tests/unit/broker_fakes.h"
#include "tests/unit/broker_world.h"

static void viewer_leaves(uint32_t slot)
{
	fake_kill(SPAWN_DISPLAY, slot);
}

/* The guest shuts down, and the first display says its last word. */
static void log_off(const struct desktop *desktop)
{
	fake_host_stopped(desktop->row.id, "guest-shutdown");
	until(display(0)->closed);
}

static void restart_broker_and_wait(void)
{
	restart_broker();
	until(first_desktop()->state == DESKTOP_READY);
}

static void a_login_gets_a_desktop_and_its_picture(void **state)
{
	(void)state;
	alice_in_pool(POOL_FLOATING, 2);
	assert_int_equal(count_desktops(), 1);
	assert_string_equal(first_desktop()->row.owner, "alice");
	assert_int_equal(first_desktop()->session.state, SESSION_ACTIVE);
	assert_true(first_desktop()->session.uid >= 200000);
	assert_true(display(0)->source);
	assert_int_equal(fake_process(SPAWN_SCREEN, first_desktop()->row.slot)->n_displays, 1);
}

static void a_wrong_password_is_refused(void **state)
{
	struct gate_result result;

	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	assert_int_equal(answer_of(knock("mallory"), &result), -1);
	assert_string_equal(result.reason, "Wrong user name or password.");
	assert_int_equal(count_desktops(), 0);
	assert_int_equal(fake_processes(SPAWN_DISPLAY), 0);
}

static void one_user_twice_at_once_shares_one_desktop(void **state)
{
	struct gate_result result;
	int gates[2], streams[2];

	(void)state;
	make_pool(POOL_FLOATING, 4, 0);
	world.hold = true;
	gates[0] = knock("alice");
	gates[1] = knock("alice");
	until(fake_auth_attempts() == 2);
	world.hold = false;
	for (int i = 0; i < 2; i++)
		streams[i] = answer_of(gates[i], &result);
	settle();
	assert_int_equal(count_desktops(), 1);
	assert_int_equal(count_viewers(), 2);
	assert_int_equal(first_desktop()->n_viewers, 2);
	assert_true(display(0)->source && display(1)->source);
	close(streams[0]);
	close(streams[1]);
}

static void a_full_pool_refuses_the_next_user(void **state)
{
	struct gate_result result;

	(void)state;
	alice_in_pool(POOL_FLOATING, 1);
	assert_int_equal(answer_of(knock("bob"), &result), -1);
	assert_non_null(strstr(result.reason, "1 of 1"));
	assert_int_equal(count_desktops(), 1);
}

static void a_gate_that_goes_away_cancels_its_login(void **state)
{
	int gate;

	(void)state;
	make_pool(POOL_FLOATING, 1, 0);
	world.hold = true;
	gate = knock("alice");
	until(fake_auth_attempts() == 1);
	close(gate);
	until(fake_auth_attempts() == 0);
	world.hold = false;
	settle();
	assert_int_equal(count_desktops(), 0);
}

static void a_viewer_that_leaves_finds_its_desktop_again(void **state)
{
	struct desktop *desktop;
	int64_t session;

	(void)state;
	desktop = alice_in_pool(POOL_FLOATING, 2);
	session = desktop->session.id;
	viewer_leaves(0);
	until(desktop->session.state == SESSION_DISCONNECTED);
	assert_int_equal(count_viewers(), 0);
	assert_string_equal(fake_host_state(desktop->row.id), "ready");
	log_in("alice");
	assert_ptr_equal(first_desktop(), desktop);
	assert_session_goes_on(desktop, session);
	assert_true(display(0)->source);
	/* What screen told when the viewer left. */
	assert_int_equal(desktop->row.width, 1024);
}

static void a_floating_desktop_that_dies_is_made_anew_under_its_viewer(void **state)
{
	struct desktop *desktop;
	int64_t session;

	(void)state;
	desktop = alice_in_pool(POOL_FLOATING, 1);
	session = desktop->session.id;
	fake_host_stopped(desktop->row.id, "crash");
	until(!display(0)->source);
	until(desktop->state == DESKTOP_ABSENT);
	until(desktop->state == DESKTOP_READY && display(0)->source);
	assert_int_equal(display(0)->generation, 1);
	assert_session_goes_on(first_desktop(), session);
	assert_string_equal(desktop->row.owner, "alice");
	assert_int_equal(count_desktops(), 1);
	assert_int_equal(desktop->boot, 1); /* of the fresh clone */
}

static void a_dedicated_desktop_that_dies_is_started_again(void **state)
{
	struct desktop *desktop;

	(void)state;
	desktop = alice_in_pool(POOL_DEDICATED, 1);
	fake_host_stopped(desktop->row.id, "crash");
	until(desktop->state == DESKTOP_READY && desktop->boot == 2);
	until(display(0)->source);
	assert_int_equal(desktop->row.wanted, WANTED_RUNNING);
}

static void three_failures_end_in_a_reason(void **state)
{
	struct desktop *desktop;
	char id[HOST_DESKTOP_ID_MAX];

	(void)state;
	make_pool(POOL_FLOATING, 1, 0);
	fake_host_fail("The disk is full.");
	log_in("alice");
	desktop = first_desktop();
	memcpy(id, desktop->row.id, sizeof(id));
	until(display(0)->failed);
	assert_non_null(strstr(display(0)->detail, "The disk is full."));
	assert_true(desktop_is_failed(desktop));
	until(desktop->state == DESKTOP_STOPPED);
	/* Mended: the next login gets a fresh one in its place. */
	fake_host_fail(NULL);
	log_in("alice");
	until(display(1)->source);
	assert_true(display(0)->closed);
	viewer_leaves(0);
	until(count_desktops() == 1);
	assert_string_not_equal(first_desktop()->row.id, id);
	assert_int_equal(fake_host_desktops(), 1);
}

static void logging_off_removes_a_floating_desktop(void **state)
{
	(void)state;
	alice_in_pool(POOL_FLOATING, 1);
	log_off(first_desktop());
	assert_string_equal(display(0)->title, "You have logged off");
	until(fake_host_desktops() == 0);
	/* The row goes with the last viewer. */
	viewer_leaves(0);
	until(count_desktops() == 0);
	assert_null(first_desktop());
	assert_int_equal(count_viewers(), 0);
}

static void logging_off_keeps_a_dedicated_desktop(void **state)
{
	struct desktop *desktop;

	(void)state;
	desktop = alice_in_pool(POOL_DEDICATED, 1);
	log_off(desktop);
	viewer_leaves(0);
	settle();
	assert_int_equal(desktop->session.id, 0);
	assert_string_equal(fake_host_state(desktop->row.id), "stopped");
	log_in("alice");
	assert_ptr_equal(first_desktop(), desktop);
	until(desktop->state == DESKTOP_READY);
	assert_int_equal(count_desktops(), 1);
}

static void a_login_right_after_a_log_off_has_a_display_of_its_own(void **state)
{
	struct desktop *desktop;

	(void)state;
	desktop = alice_in_pool(POOL_DEDICATED, 1);
	log_off(desktop);
	/* The old viewer still shows its last word. */
	log_in("alice");
	assert_true(display(0)->alive);
	until(display(1)->source);
	viewer_leaves(0);
	until(count_viewers() == 1);
	assert_int_equal(desktop->session.state, SESSION_ACTIVE);
	restart_broker_and_wait();
	assert_int_equal(count_viewers(), 1);
	assert_int_equal(display(1)->generation, 1);
}

static void a_killed_broker_finds_everything_again(void **state)
{
	int64_t session;
	uint32_t slot;

	(void)state;
	alice_in_pool(POOL_FLOATING, 2);
	session = first_desktop()->session.id;
	slot = first_desktop()->row.slot;
	restart_broker_and_wait();
	assert_session_goes_on(first_desktop(), session);
	assert_int_equal(display(0)->generation, 1);
	assert_int_equal(fake_process(SPAWN_SCREEN, slot)->generation, 1);
	assert_int_equal(fake_process(SPAWN_SCREEN, slot)->n_displays, 1);
	assert_true(display(0)->source);
	/* And it watches again. */
	viewer_leaves(0);
	until(first_desktop()->session.state == SESSION_DISCONNECTED);
}

static void what_ended_while_no_broker_ran_is_cleaned_up(void **state)
{
	(void)state;
	alice_in_pool(POOL_FLOATING, 2);
	log_in("bob");
	broker_free(world.broker);
	viewer_leaves(0);
	/* A stranger has the other's slot. */
	memcpy(display(1)->tag, "somebody-else", sizeof("somebody-else"));
	start_broker();
	until(count_viewers() == 0);
	until(fake_processes(SPAWN_DISPLAY) == 0);
	settle();
	assert_int_equal(count_desktops(), 2);
	for (struct desktop *at = first_desktop(); at; at = at->next)
		assert_int_equal(at->session.state, SESSION_DISCONNECTED);
}

static void a_remake_goes_on_after_a_restart(void **state)
{
	int64_t session;

	(void)state;
	alice_in_pool(POOL_FLOATING, 1);
	session = first_desktop()->session.id;
	fake_host_stopped(first_desktop()->row.id, "crash");
	assert_int_equal(first_desktop()->row.wanted, WANTED_ABSENT);
	restart_broker_and_wait();
	assert_int_equal(first_desktop()->row.wanted, WANTED_RUNNING);
	assert_session_goes_on(first_desktop(), session);
	until(display(0)->source);
}

static void a_screen_that_dies_is_replaced(void **state)
{
	uint32_t slot;

	(void)state;
	alice_in_pool(POOL_FLOATING, 1);
	slot = first_desktop()->row.slot;
	fake_kill(SPAWN_SCREEN, slot);
	until(fake_process(SPAWN_SCREEN, slot)->generation == 2);
	until(fake_process(SPAWN_SCREEN, slot)->n_displays == 1 && display(0)->source);
	assert_int_equal(display(0)->generation, 1);
}

static void spares_are_kept_and_remade_below_max(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 1);
	assert_int_equal(count_desktops(), 1);
	assert_string_equal(first_desktop()->row.owner, "");
	until(first_desktop()->state == DESKTOP_READY);
	log_in("alice");
	assert_string_equal(first_desktop()->row.owner, "alice");
	until(count_desktops() == 2);
	log_in("bob");
	settle();
	assert_int_equal(count_desktops(), 2);
	/* A log-off makes room for a spare again. */
	log_off(first_desktop());
	viewer_leaves(0);
	until(first_desktop() && strcmp(first_desktop()->row.owner, "bob") == 0 && first_desktop()->next &&
	      first_desktop()->next->row.owner[0] == '\0' && !first_desktop()->next->next);
}

static void set_pool(uint32_t memory_mib, uint32_t vcpus, const char *keyboard)
{
	struct pool pool;

	assert_int_equal(store_pool_get(world.broker->store, "desk", &pool), 0);
	pool.memory_mib = memory_mib;
	pool.vcpus = vcpus;
	snprintf(pool.keyboard, sizeof(pool.keyboard), "%s", keyboard);
	assert_int_equal(store_pool_update(world.broker->store, &pool), 0);
	broker_pools_changed(world.broker);
}

/* The spare that is there becomes another one. */
static void assert_spare_is_renewed(char id[HOST_DESKTOP_ID_MAX])
{
	until(fake_host_state(id)[0] == '\0');
	until(count_desktops() == 1 && first_desktop()->state == DESKTOP_READY);
	assert_string_equal(first_desktop()->row.owner, "");
	assert_string_not_equal(first_desktop()->row.id, id);
	memcpy(id, first_desktop()->row.id, HOST_DESKTOP_ID_MAX);
}

static void a_pool_s_new_hardware_renews_its_spares(void **state)
{
	char id[HOST_DESKTOP_ID_MAX];

	(void)state;
	make_pool(POOL_FLOATING, 2, 1);
	until(first_desktop()->state == DESKTOP_READY);
	memcpy(id, first_desktop()->row.id, sizeof(id));
	set_pool(512, 1, "");
	assert_spare_is_renewed(id);
	set_pool(512, 2, "");
	assert_spare_is_renewed(id);
	/* The keyboard is asked for at each login. */
	set_pool(512, 2, "de");
	restart_broker_and_wait();
	assert_string_equal(first_desktop()->row.id, id);
}

static void a_pool_s_new_hardware_leaves_users_alone(void **state)
{
	struct desktop *desktop;
	int64_t session;

	(void)state;
	desktop = alice_in_pool(POOL_FLOATING, 1);
	session = desktop->session.id;
	set_pool(512, 2, "");
	settle();
	assert_ptr_equal(first_desktop(), desktop);
	assert_session_goes_on(desktop, session);
	assert_int_equal(desktop->boot, 1);
}

static void a_host_that_comes_back_changes_nothing(void **state)
{
	(void)state;
	alice_in_pool(POOL_FLOATING, 1);
	fake_host_leave();
	settle();
	assert_true(display(0)->source);
	fake_host_return();
	settle();
	assert_true(display(0)->source);
	assert_int_equal(fake_process(SPAWN_SCREEN, first_desktop()->row.slot)->n_displays, 1);
	assert_int_equal(first_desktop()->boot, 1);
}

static void command_done(int r, const struct error *err, void *userdata)
{
	(void)err;
	assert_int_equal(r, 0);
	*(bool *)userdata = true;
}

static void commands_wait_for_their_end(void **state)
{
	char id[HOST_DESKTOP_ID_MAX];
	struct error err = {0};
	bool done = false;

	(void)state;
	alice_in_pool(POOL_DEDICATED, 2);
	memcpy(id, first_desktop()->row.id, sizeof(id));
	assert_int_equal(broker_desktop_stop(world.broker, "nobody", false, command_done, &done, &err), -ENOENT);
	assert_int_equal(broker_desktop_stop(world.broker, id, false, command_done, &done, &err), 0);
	assert_false(done);
	until(done);
	assert_string_equal(fake_host_state(id), "stopped");
	assert_true(display(0)->closed);
	viewer_leaves(0);
	settle();
	log_in("alice");
	done = false;
	assert_int_equal(
	    broker_session_kill(world.broker, first_desktop()->session.id, "Bye.", command_done, &done, &err), 0);
	until(done && display(0)->closed);
	assert_string_equal(display(0)->detail, "Bye.");
	done = false;
	assert_int_equal(broker_desktop_delete(world.broker, id, command_done, &done, &err), 0);
	viewer_leaves(0);
	until(done);
	assert_int_equal(count_desktops(), 0);
	assert_int_equal(fake_host_desktops(), 0);
}

/* The host was asked to make it again and has not said a word yet: that it was absent before counts no more. */
static void one_that_is_removed_while_it_is_made_again_leaves_nothing(void **state)
{
	char id[HOST_DESKTOP_ID_MAX];
	struct error err = {0};
	bool done = false;

	(void)state;
	alice_in_pool(POOL_FLOATING, 1);
	viewer_leaves(0);
	settle();
	memcpy(id, first_desktop()->row.id, sizeof(id));
	fake_host_stopped(id, "crash");
	until(strcmp(fake_host_wants(id), "absent") == 0);
	until(strcmp(fake_host_wants(id), "running") == 0);
	assert_int_equal(broker_desktop_delete(world.broker, id, command_done, &done, &err), 0);
	assert_int_equal(count_desktops(), 1);
	until(done);
	settle();
	assert_int_equal(count_desktops(), 0);
	assert_int_equal(fake_host_desktops(), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_login_gets_a_desktop_and_its_picture),
	    CASE(a_wrong_password_is_refused),
	    CASE(one_user_twice_at_once_shares_one_desktop),
	    CASE(a_full_pool_refuses_the_next_user),
	    CASE(a_gate_that_goes_away_cancels_its_login),
	    CASE(a_viewer_that_leaves_finds_its_desktop_again),
	    CASE(a_floating_desktop_that_dies_is_made_anew_under_its_viewer),
	    CASE(a_dedicated_desktop_that_dies_is_started_again),
	    CASE(three_failures_end_in_a_reason),
	    CASE(logging_off_removes_a_floating_desktop),
	    CASE(logging_off_keeps_a_dedicated_desktop),
	    CASE(a_login_right_after_a_log_off_has_a_display_of_its_own),
	    CASE(a_killed_broker_finds_everything_again),
	    CASE(what_ended_while_no_broker_ran_is_cleaned_up),
	    CASE(a_remake_goes_on_after_a_restart),
	    CASE(a_screen_that_dies_is_replaced),
	    CASE(spares_are_kept_and_remade_below_max),
	    CASE(a_pool_s_new_hardware_renews_its_spares),
	    CASE(a_pool_s_new_hardware_leaves_users_alone),
	    CASE(a_host_that_comes_back_changes_nothing),
	    CASE(commands_wait_for_their_end),
	    CASE(one_that_is_removed_while_it_is_made_again_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
