/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When hotdesk-starter starts a program again; the test says what time it is. */
#include "packaging/starter/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>

#define MSEC UINT64_C(1000)
#define SECOND (1000 * MSEC)
#define EXIT_STATUS(code) ((code) << 8)

/* Started at `now`, it lives for alive us and dies with wait(2)'s status. Returns the time until its next start. */
static uint64_t wait_after(struct program *program, uint64_t *now, uint64_t alive, int status)
{
	uint64_t end = *now + alive;

	program->pid = 1234;
	program->started = *now;
	program_ended(program, status, end);
	assert_int_equal(program->pid, 0);
	*now = program->start_at;
	return program->start_at - end;
}

static void test_ever_slower_up_to_ten_seconds(void **state)
{
	static const uint64_t expected[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000, 10000};
	struct program program = {.name = "gate"};
	uint64_t now = 5 * SECOND;

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(wait_after(&program, &now, MSEC, EXIT_STATUS(3)), expected[i] * MSEC);
}

static void test_from_the_start_again_after_a_steady_time(void **state)
{
	struct program program = {.name = "gate"};
	uint64_t now = 5 * SECOND;

	(void)state;
	for (int i = 0; i < 5; i++)
		wait_after(&program, &now, 0, SIGKILL);
	assert_int_equal(wait_after(&program, &now, 29 * SECOND, SIGKILL), 3200 * MSEC);
	assert_int_equal(wait_after(&program, &now, 31 * SECOND, SIGKILL), 100 * MSEC);
	assert_int_equal(wait_after(&program, &now, 31 * SECOND, SIGKILL), 100 * MSEC);
	assert_int_equal(wait_after(&program, &now, 0, SIGKILL), 200 * MSEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ever_slower_up_to_ten_seconds),
	    cmocka_unit_test(test_from_the_start_again_after_a_steady_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
