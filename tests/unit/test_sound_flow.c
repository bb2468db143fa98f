/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/sound_flow.h"

#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants those four first */
#include <cmocka.h>

#define MAX 1000

static void test_stops_until_an_answer_tells_that_it_came(void **state)
{
	struct sound_flow flow = {0};

	(void)state;
	sound_flow_sent(&flow, 400);
	assert_true(sound_flow_marked(&flow, 0));
	sound_flow_sent(&flow, 500);
	assert_true(sound_flow_open(&flow, MAX, 1));
	sound_flow_sent(&flow, 200);
	assert_false(sound_flow_open(&flow, MAX, 2));
	sound_flow_answered(&flow);
	/* What came before the update is known, what came after it is not. */
	assert_true(sound_flow_marked(&flow, 3));
	assert_true(sound_flow_open(&flow, MAX, 3));
	sound_flow_sent(&flow, 300);
	assert_false(sound_flow_open(&flow, MAX, 4));
}

static void test_a_later_question_does_not_move_the_mark(void **state)
{
	struct sound_flow flow = {0};

	(void)state;
	assert_true(sound_flow_marked(&flow, 0));
	sound_flow_sent(&flow, 1500);
	assert_false(sound_flow_marked(&flow, 1));
	sound_flow_answered(&flow);
	assert_true(sound_flow_marked(&flow, 2));
	assert_false(sound_flow_open(&flow, MAX, 2));
}

static void test_asks_when_much_is_unknown(void **state)
{
	struct sound_flow flow = {0};

	(void)state;
	assert_false(sound_flow_asks(&flow, MAX));
	assert_false(sound_flow_asks(&flow, 0));
	sound_flow_sent(&flow, 250);
	assert_true(sound_flow_asks(&flow, MAX));
	assert_true(sound_flow_marked(&flow, 0));
	assert_false(sound_flow_asks(&flow, MAX));
	sound_flow_answered(&flow);
	sound_flow_answered(&flow);
	assert_false(sound_flow_asks(&flow, MAX));
}

static void test_a_viewer_without_answers_hears_on(void **state)
{
	struct sound_flow flow = {0};

	(void)state;
	assert_true(sound_flow_marked(&flow, 10));
	sound_flow_sent(&flow, 5000);
	assert_false(sound_flow_open(&flow, MAX, SOUND_FLOW_PATIENCE));
	assert_true(sound_flow_open(&flow, MAX, SOUND_FLOW_PATIENCE + 11));
	sound_flow_sent(&flow, 5000);
	assert_true(sound_flow_open(&flow, MAX, SOUND_FLOW_PATIENCE + 12));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stops_until_an_answer_tells_that_it_came),
	    cmocka_unit_test(test_a_later_question_does_not_move_the_mark),
	    cmocka_unit_test(test_asks_when_much_is_unknown),
	    cmocka_unit_test(test_a_viewer_without_answers_hears_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
