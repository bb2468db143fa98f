/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The broker and guests whose agents sign users in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/lifecycle.h"
#include "common/cleanup.h"
#include "tests/unit/broker_fakes.h"
#include "tests/unit/broker_world.h"

static int set_up(void **state)
{
	world_set_up(state);
	fake_agents(true);
	return 0;
}

static const char *id(void)
{
	return first_desktop()->row.id;
}

static void signed_in(const char *name)
{
	log_in(name);
	assert_string_equal(fake_agent_request(), "sign-in");
	fake_guest_session(id(), "active");
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->source);
}

static void the_picture_comes_once_the_user_is_signed_in(void **state)
{
	char person[256];

	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	log_in("alice");
	assert_int_equal(fake_agent_requests(), 1);
	snprintf(person, sizeof(person), "{\"name\":\"alice\",\"uid\":%u,\"gid\":%u,\"full_name\":\"\",\"groups\":[]}",
		 first_desktop()->session.uid, first_desktop()->session.uid);
	assert_string_equal(fake_agent_person(), person);
	assert_false(fake_process(SPAWN_DISPLAY, 0)->source);
	assert_string_equal(fake_process(SPAWN_DISPLAY, 0)->title, "Signing you in");
	fake_guest_session(id(), "active");
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->source);
	assert_int_equal(fake_agent_requests(), 1);
}

static void the_pool_says_which_groups(void **state)
{
	struct pool pool;

	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	assert_int_equal(store_pool_get(world.broker->store, "desk", &pool), 0);
	snprintf(pool.guest_groups, sizeof(pool.guest_groups), "audio,sudo");
	assert_int_equal(store_pool_update(world.broker->store, &pool), 0);
	log_in("alice");
	assert_non_null(strstr(fake_agent_person(), "\"groups\":[\"audio\",\"sudo\"]"));
}

static void a_spare_signs_nobody_in_until_it_is_taken(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 1);
	until(count_desktops() == 1 && first_desktop()->state == DESKTOP_READY);
	settle();
	assert_int_equal(fake_agent_requests(), 0);
	signed_in("alice");
	assert_int_equal(fake_agent_requests(), 1);
}

static void a_refused_sign_in_is_drawn_and_tried_again_at_the_next_login(void **state)
{
	const struct fake_process *display;

	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	fake_agents_refuse("this desktop has no group audio", false);
	log_in("alice");
	display = fake_process(SPAWN_DISPLAY, 0);
	assert_true(display->failed && !display->source);
	assert_string_equal(display->title, "You could not be signed in");
	assert_non_null(strstr(display->detail, "This desktop has no group audio."));
	assert_int_equal(fake_agent_requests(), 1);
	fake_agents_refuse(NULL, false);
	log_in("alice");
	assert_int_equal(fake_agent_requests(), 2);
	fake_guest_session(id(), "active");
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->source && fake_process(SPAWN_DISPLAY, 1)->source);
}

static void an_agent_that_is_away_for_a_moment_is_asked_again(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	fake_agents_refuse(NULL, true);
	log_in("alice");
	assert_false(fake_process(SPAWN_DISPLAY, 0)->failed);
	fake_agents_refuse(NULL, false);
	until(strcmp(fake_agent_person(), "") != 0);
	settle();
	fake_guest_session(id(), "active");
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->source);
}

static void a_second_viewer_sees_the_session_at_once(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	signed_in("alice");
	log_in("alice");
	assert_true(fake_process(SPAWN_DISPLAY, 1)->source);
	assert_int_equal(fake_agent_requests(), 1);
}

static void the_next_login_opens_a_locked_screen(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	signed_in("alice");
	fake_guest_session(id(), "locked");
	settle();
	assert_int_equal(fake_agent_requests(), 1);
	assert_true(fake_process(SPAWN_DISPLAY, 0)->source);
	log_in("alice");
	assert_int_equal(fake_agent_requests(), 2);
	assert_string_equal(fake_agent_request(), "unlock");
	fake_guest_session(id(), "locked");
	settle();
	assert_int_equal(fake_agent_requests(), 2);
}

static void leaving_the_session_removes_a_floating_desktop(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	signed_in("alice");
	fake_guest_session(id(), "ended");
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->closed);
	assert_string_equal(fake_process(SPAWN_DISPLAY, 0)->title, "You have logged off");
	fake_kill(SPAWN_DISPLAY, 0);
	until(count_desktops() == 0);
}

static void a_session_that_breaks_down_is_not_told_as_a_log_off(void **state)
{
	(void)state;
	make_pool(POOL_DEDICATED, 1, 0);
	signed_in("alice");
	fake_guest_user(id(), first_desktop()->session.uid, "ended", "the desktop broke down");
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->closed);
	assert_string_equal(fake_process(SPAWN_DISPLAY, 0)->title, "Your session has ended");
	assert_non_null(strstr(fake_process(SPAWN_DISPLAY, 0)->detail, "the desktop broke down. Please log in again."));
}

static void a_log_off_on_a_full_disk_ends_the_session_once_there_is_room(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 1, 0);
	signed_in("alice");
	fill_disk(true);
	fake_guest_session(id(), "ended");
	settle();
	assert_int_equal(first_desktop()->session.state, SESSION_ACTIVE);
	assert_false(fake_process(SPAWN_DISPLAY, 0)->closed);
	fill_disk(false);
	until(fake_process(SPAWN_DISPLAY, 0)->closed);
	assert_string_equal(fake_process(SPAWN_DISPLAY, 0)->title, "You have logged off");
	fake_kill(SPAWN_DISPLAY, 0);
	until(count_desktops() == 0);
}

static void leaving_the_session_keeps_a_dedicated_desktop_running(void **state)
{
	(void)state;
	make_pool(POOL_DEDICATED, 2, 0);
	signed_in("alice");
	fake_guest_session(id(), "ended");
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->closed);
	assert_int_equal(first_desktop()->session.id, 0);
	assert_int_equal(first_desktop()->row.wanted, WANTED_RUNNING);
	assert_string_equal(fake_host_state(id()), "ready");
	fake_kill(SPAWN_DISPLAY, 0);
	settle();
	assert_int_equal(fake_agent_requests(), 1);
	signed_in("alice");
	assert_int_equal(fake_agent_requests(), 2);
}

static void after_a_reboot_the_user_is_signed_in_again(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	signed_in("alice");
	fake_guest_reboots(id());
	settle();
	assert_string_equal(fake_process(SPAWN_DISPLAY, 0)->title, "Your desktop is restarting");
	fake_guest_is_up(id());
	settle();
	assert_int_equal(fake_agent_requests(), 2);
	assert_false(fake_process(SPAWN_DISPLAY, 0)->source);
	fake_guest_session(id(), "active");
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->source);
	assert_int_equal(count_desktops(), 1);
}

static void a_restarted_broker_goes_on_where_it_was(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	log_in("alice");
	restart_broker();
	settle();
	assert_int_equal(fake_agent_requests(), 1);
	assert_false(fake_process(SPAWN_DISPLAY, 0)->source);
	fake_guest_session(id(), "active");
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->source);
	restart_broker();
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->source);
	assert_int_equal(fake_agent_requests(), 1);
}

static void a_broker_that_comes_back_hears_of_a_session_that_ended(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	signed_in("alice");
	fake_host_leave();
	fake_guest_session(id(), "ended");
	fake_host_return();
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->closed);
}

static void somebody_else_s_session_is_not_shown(void **state)
{
	(void)state;
	make_pool(POOL_DEDICATED, 2, 0);
	signed_in("alice");
	fake_guest_session(id(), "ended");
	fake_kill(SPAWN_DISPLAY, 0);
	settle();
	fake_guest_user(id(), 1, "active", "");
	log_in("alice");
	assert_true(fake_process(SPAWN_DISPLAY, 0)->failed && !fake_process(SPAWN_DISPLAY, 0)->source);
	assert_non_null(strstr(fake_process(SPAWN_DISPLAY, 0)->detail, "Somebody else is signed in"));
}

static void a_session_that_turns_into_somebody_else_s_is_not_shown_any_more(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	signed_in("alice");
	fake_guest_user(id(), 1, "active", "");
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->failed && !fake_process(SPAWN_DISPLAY, 0)->source);
}

static void a_host_that_is_restarted_ends_no_session(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	signed_in("alice");
	fake_host_leave();
	fake_agent_silent(id(), true);
	fake_host_return();
	settle();
	assert_false(fake_process(SPAWN_DISPLAY, 0)->closed);
	assert_true(fake_process(SPAWN_DISPLAY, 0)->source);
	fake_agent_silent(id(), false);
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->source);
	assert_int_equal(fake_agent_requests(), 1);
	assert_int_equal(count_desktops(), 1);
}

static void both_restarted_end_no_session_either(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	signed_in("alice");
	fake_agent_silent(id(), true);
	restart_broker();
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->source);
	fake_agent_silent(id(), false);
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->source);
	assert_int_equal(fake_agent_requests(), 1);
}

static void an_agent_that_is_restarted_does_not_hide_the_screen(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	signed_in("alice");
	fake_guest_session(id(), "starting");
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->source);
}

static void an_end_that_a_restarted_broker_finds_is_a_log_off(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	signed_in("alice");
	fake_host_leave();
	fake_guest_session(id(), "");
	restart_broker();
	fake_host_return();
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->closed);
	assert_int_equal(fake_agent_requests(), 1);
}

static void nobody_is_shown_a_desktop_before_its_agent_has_signed_her_in(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 1);
	until(count_desktops() == 1 && first_desktop()->state == DESKTOP_READY);
	fake_agent_silent(id(), true);
	log_in("alice");
	assert_false(fake_process(SPAWN_DISPLAY, 0)->source);
	assert_string_equal(fake_process(SPAWN_DISPLAY, 0)->title, "Signing you in");
	fake_agent_silent(id(), false);
	until(strcmp(fake_agent_person(), "") != 0);
}

static void a_session_that_ends_as_it_begins_is_a_refusal_with_its_reason(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	log_in("alice");
	fake_guest_user(id(), first_desktop()->session.uid, "ended", "no room for a home");
	until(fake_process(SPAWN_DISPLAY, 0)->failed);
	assert_non_null(strstr(fake_process(SPAWN_DISPLAY, 0)->detail, "No room for a home."));
	assert_int_equal(fake_agent_requests(), 1);
	assert_int_equal(count_desktops(), 1);
}

static void the_end_of_the_last_session_is_not_that_of_the_next(void **state)
{
	(void)state;
	make_pool(POOL_DEDICATED, 2, 0);
	signed_in("alice");
	fake_guest_session(id(), "ended");
	settle();
	fake_kill(SPAWN_DISPLAY, 0);
	settle();
	restart_broker();
	settle();
	signed_in("alice");
	assert_int_equal(fake_agent_requests(), 2);
}

static void an_unlock_that_is_refused_is_not_repeated(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	signed_in("alice");
	fake_guest_session(id(), "locked");
	settle();
	fake_agents_refuse("it cannot be unlocked", false);
	log_in("alice");
	fake_guest_session(id(), "locked");
	settle();
	assert_int_equal(fake_agent_requests(), 2);
	assert_true(fake_process(SPAWN_DISPLAY, 1)->source && !fake_process(SPAWN_DISPLAY, 1)->failed);
}

static void on_killed(int r, const struct error *err, void *userdata)
{
	(void)err;
	*(int *)userdata = r;
}

static int kill_session(void)
{
	struct error err = {0};
	int r = 1;

	assert_int_equal(
	    broker_session_kill(world.broker, first_desktop()->session.id, "Maintenance.", on_killed, &r, &err), 0);
	until(r != 1);
	return r;
}

static void a_session_is_killed_by_logging_its_user_off(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	signed_in("alice");
	assert_int_equal(kill_session(), 0);
	assert_string_equal(fake_agent_request(), "log-off");
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->closed);
	assert_string_equal(fake_process(SPAWN_DISPLAY, 0)->title, "Your session was ended");
	assert_string_equal(fake_process(SPAWN_DISPLAY, 0)->detail, "Maintenance.");
	fake_kill(SPAWN_DISPLAY, 0);
	until(count_desktops() == 0);
}

static void a_guest_that_logs_nobody_off_loses_the_session_all_the_same(void **state)
{
	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	signed_in("alice");
	fake_agents_refuse("no", false);
	assert_int_equal(kill_session(), 0);
	settle();
	assert_true(fake_process(SPAWN_DISPLAY, 0)->closed);
}

static void a_broker_ends_while_a_guest_is_asked(void **state)
{
	struct error err = {0};
	int r = 1;

	(void)state;
	make_pool(POOL_FLOATING, 2, 0);
	signed_in("alice");
	assert_int_equal(broker_session_kill(world.broker, first_desktop()->session.id, "", on_killed, &r, &err), 0);
	restart_broker();
	settle();
	/* What nobody was told is not done; the command that asked is gone. */
	assert_true(fake_process(SPAWN_DISPLAY, 0)->source);
	assert_int_equal(r, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_picture_comes_once_the_user_is_signed_in),
	    TEST(the_pool_says_which_groups),
	    TEST(a_spare_signs_nobody_in_until_it_is_taken),
	    TEST(a_refused_sign_in_is_drawn_and_tried_again_at_the_next_login),
	    TEST(an_agent_that_is_away_for_a_moment_is_asked_again),
	    TEST(a_second_viewer_sees_the_session_at_once),
	    TEST(the_next_login_opens_a_locked_screen),
	    TEST(leaving_the_session_removes_a_floating_desktop),
	    TEST(a_session_that_breaks_down_is_not_told_as_a_log_off),
	    TEST(a_log_off_on_a_full_disk_ends_the_session_once_there_is_room),
	    TEST(leaving_the_session_keeps_a_dedicated_desktop_running),
	    TEST(after_a_reboot_the_user_is_signed_in_again),
	    TEST(a_restarted_broker_goes_on_where_it_was),
	    TEST(a_broker_that_comes_back_hears_of_a_session_that_ended),
	    TEST(somebody_else_s_session_is_not_shown),
	    TEST(a_session_that_turns_into_somebody_else_s_is_not_shown_any_more),
	    TEST(a_host_that_is_restarted_ends_no_session),
	    TEST(both_restarted_end_no_session_either),
	    TEST(an_agent_that_is_restarted_does_not_hide_the_screen),
	    TEST(an_end_that_a_restarted_broker_finds_is_a_log_off),
	    TEST(nobody_is_shown_a_desktop_before_its_agent_has_signed_her_in),
	    TEST(a_session_that_ends_as_it_begins_is_a_refusal_with_its_reason),
	    TEST(the_end_of_the_last_session_is_not_that_of_the_next),
	    TEST(an_unlock_that_is_refused_is_not_repeated),
	    TEST(a_session_is_killed_by_logging_its_user_off),
	    TEST(a_guest_that_logs_nobody_off_loses_the_session_all_the_same),
	    TEST(a_broker_ends_while_a_guest_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
