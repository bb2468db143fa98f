/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/report.h"
#include "broker/status.h"

static int parse(const char *text, struct report *ret)
{
	struct json_object *json = json_tokener_parse(text);
	int r = report_parse(json, ret);

	json_object_put(json);
	return r;
}

static void whole_report(void **state)
{
	struct report report;

	(void)state;
	assert_int_equal(parse("{\"id\":\"desk-1\",\"state\":\"stopped\",\"cause\":\"crash\",\"progress\":40,"
			       "\"image_version\":3,\"boot\":7,\"reason\":\"QEMU died\",\"warning\":\"no network\","
			       "\"agent\":{\"version\":\"0.1.0\",\"capabilities\":[]}}",
			       &report),
			 0);
	assert_string_equal(report.id, "desk-1");
	assert_int_equal(report.state, DESKTOP_STOPPED);
	assert_int_equal(report.cause, CAUSE_CRASH);
	assert_int_equal(report.progress, 40);
	assert_int_equal(report.image_version, 3);
	assert_int_equal(report.boot, 7);
	assert_string_equal(report.reason, "QEMU died");
	assert_string_equal(report.warning, "no network");
	assert_string_equal(report.guest.agent, "0.1.0");
}

static void odd_fields_are_left_empty(void **state)
{
	struct report report;

	(void)state;
	assert_int_equal(parse("{\"id\":\"a\",\"state\":\"ready\",\"cause\":\"magic\",\"progress\":900,\"boot\":-1,"
			       "\"reason\":[],\"agent\":null}",
			       &report),
			 0);
	assert_int_equal(report.cause, CAUSE_NONE);
	assert_int_equal(report.progress, 100);
	assert_int_equal(report.boot, 0);
	assert_string_equal(report.reason, "");
	assert_string_equal(report.guest.agent, "");
}

static void what_the_guest_is_and_has(void **state)
{
	struct report report;

	(void)state;
	assert_int_equal(parse("{\"id\":\"a\",\"state\":\"ready\",\"agent\":{\"version\":\"0.1.0\",\"os\":\"Tiny\","
			       "\"capabilities\":[\"size\",1,\"sign-in\"],\"missing\":[\"lock\"]},"
			       "\"sign_in\":true,\"session\":{\"state\":\"locked\",\"uid\":2001}}",
			       &report),
			 0);
	assert_string_equal(report.guest.os, "Tiny");
	assert_string_equal(report.guest.capabilities, "size,sign-in");
	assert_string_equal(report.guest.missing, "lock");
	assert_true(report.guest.answers && report.guest.signs_in && !report.guest.locks);
	assert_int_equal(report.guest.session, GUEST_SESSION_LOCKED);
	assert_int_equal(report.guest.uid, 2001);
	assert_int_equal(
	    parse("{\"id\":\"a\",\"state\":\"ready\",\"agent\":null,\"sign_in\":true,\"session\":null}", &report), 0);
	assert_true(!report.guest.answers && report.guest.signs_in);
	assert_int_equal(
	    parse("{\"id\":\"a\",\"state\":\"ready\",\"agent\":{\"capabilities\":[\"unlock\",\"lock-not\"]},"
		  "\"sign_in\":1,\"session\":{\"state\":\"over\",\"uid\":-1}}",
		  &report),
	    0);
	assert_false(report.guest.signs_in || report.guest.locks);
	assert_int_equal(report.guest.session, GUEST_SESSION_NONE);
	assert_int_equal(report.guest.uid, 0);
	assert_int_equal(
	    parse("{\"id\":\"a\",\"state\":\"ready\",\"session\":{\"state\":\"ended\",\"reason\":\"over\"}}", &report),
	    0);
	assert_int_equal(report.guest.session, GUEST_SESSION_ENDED);
	assert_string_equal(report.guest.reason, "over");
}

static void signing_in_is_said_and_its_refusal_is_the_reason(void **state)
{
	struct status_input input = {.state = DESKTOP_READY, .signing_in = true, .refusal = "", .reason = ""};
	struct status status;

	(void)state;
	status_make(&input, &status);
	assert_string_equal(status.title, "Signing you in");
	assert_false(status.failed);
	input.refusal = "this desktop has no group x";
	status_make(&input, &status);
	assert_true(status.failed);
	assert_memory_equal(status.detail, "This desktop has no group x. Log in", 35);
}

static void no_id_or_state_is_refused(void **state)
{
	static const char *const texts[] = {
	    "null",
	    "[]",
	    "{}",
	    "{\"id\":\"a\"}",
	    "{\"state\":\"ready\"}",
	    "{\"id\":\"../a\",\"state\":\"ready\"}",
	    "{\"id\":\"a\",\"state\":\"unknown\"}",
	    "{\"id\":\"a\",\"state\":\"dancing\"}",
	    "{\"id\":1,\"state\":2}",
	};
	struct report report;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(parse(texts[i], &report), -EBADMSG);
}

static void the_bar_never_goes_back(void **state)
{
	static const enum desktop_state way[] = {DESKTOP_ABSENT, DESKTOP_CLONING, DESKTOP_STARTING, DESKTOP_BOOTING,
						 DESKTOP_READY};
	int32_t last = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(way) / sizeof(way[0]); i++)
		for (uint32_t progress = 0; progress <= 100; progress += 10) {
			struct status_input input = {.state = way[i], .progress = progress, .reason = ""};
			struct status status;

			status_make(&input, &status);
			assert_true(status.percent >= last && status.percent <= 100);
			assert_false(status.failed);
			last = status.percent;
		}
	assert_int_equal(last, 100);
}

static void every_state_says_something(void **state)
{
	(void)state;
	for (int i = DESKTOP_UNKNOWN; i <= DESKTOP_FAILED; i++) {
		struct status_input input = {.state = (enum desktop_state)i, .reason = ""};
		struct status status;

		status_make(&input, &status);
		assert_true(status.title[0] != '\0' && status.detail[0] != '\0');
	}
}

static void a_failure_gives_its_reason(void **state)
{
	struct status_input input = {
	    .state = DESKTOP_STOPPED, .failures = 3, .given_up = true, .reason = "The disk is full."};
	struct status status;

	(void)state;
	status_make(&input, &status);
	assert_true(status.failed);
	assert_int_equal(status.percent, -1);
	assert_non_null(strstr(status.detail, "The disk is full."));
	assert_non_null(strstr(status.detail, "administrator"));
	input.reason = "the disk of /var is full: make room there";
	status_make(&input, &status);
	assert_non_null(strstr(status.detail, "The disk of /var is full: make room there. Close this window"));
}

static void a_crash_says_what_comes(void **state)
{
	struct status_input input = {.state = DESKTOP_CLONING, .failures = 1, .remade = true, .reason = ""};
	struct status status;

	(void)state;
	status_make(&input, &status);
	assert_non_null(strstr(status.title, "unexpectedly"));
	assert_non_null(strstr(status.detail, "new one"));
	input.remade = false;
	status_make(&input, &status);
	assert_non_null(strstr(status.detail, "started again"));
	input.state = DESKTOP_READY;
	status_make(&input, &status);
	assert_null(strstr(status.title, "unexpectedly"));
	input.reconnecting = true;
	status_make(&input, &status);
	assert_string_equal(status.title, "Reconnecting");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_report),
	    cmocka_unit_test(odd_fields_are_left_empty),
	    cmocka_unit_test(no_id_or_state_is_refused),
	    cmocka_unit_test(what_the_guest_is_and_has),
	    cmocka_unit_test(signing_in_is_said_and_its_refusal_is_the_reason),
	    cmocka_unit_test(the_bar_never_goes_back),
	    cmocka_unit_test(every_state_says_something),
	    cmocka_unit_test(a_failure_gives_its_reason),
	    cmocka_unit_test(a_crash_says_what_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
