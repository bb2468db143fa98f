/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What people type at once reaches QEMU whole, in order, and not faster than a virtio keyboard can take it. */
#include "display/screen/input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct record {
	struct input_event events[INPUT_QUEUE_MAX + 1024];
	size_t n;
};

static void take(const struct input_event *event, void *userdata)
{
	struct record *record = userdata;

	record->events[record->n++] = *event;
}

static struct record record;

static void start(sd_event **event, struct input **input)
{
	record.n = 0;
	assert_true(sd_event_new(event) >= 0);
	assert_int_equal(input_new(*event, take, &record, input), 0);
}

static void stop(sd_event *event, struct input *input)
{
	input_free(input);
	sd_event_unref(event);
}

static void add(struct input *input, enum input_type type, uint32_t a, uint32_t b)
{
	input_add(input, &(struct input_event){type, a, b});
}

static void a_burst_is_paced_and_whole(void **state)
{
	struct input *input;
	sd_event *event;

	(void)state;
	start(&event, &input);
	for (uint32_t key = 0; key < 50; key++)
		add(input, INPUT_KEY, key, 1);
	assert_in_range(record.n, INPUT_BURST, INPUT_BURST + 5);
	while (record.n < 50)
		assert_true(sd_event_run(event, 1000000) > 0);
	for (uint32_t key = 0; key < 50; key++)
		assert_int_equal(record.events[key].a, key);
	stop(event, input);
}

static void positions_keep_their_place_and_do_not_pile_up(void **state)
{
	struct input *input;
	sd_event *event;

	(void)state;
	start(&event, &input);
	for (uint32_t key = 0; key < 20; key++)
		add(input, INPUT_KEY, key, 1);
	for (uint32_t x = 0; x < 100; x++)
		add(input, INPUT_POSITION, x, 1);
	add(input, INPUT_BUTTON, 0, 1);
	while (record.n < 22)
		assert_true(sd_event_run(event, 1000000) > 0);
	assert_int_equal(record.n, 22);
	assert_int_equal(record.events[20].type, INPUT_POSITION);
	assert_int_equal(record.events[20].a, 99);
	assert_int_equal(record.events[21].type, INPUT_BUTTON);
	stop(event, input);
}

static void a_flood_is_bounded_but_keys_are_released(void **state)
{
	struct input *input;
	sd_event *event;

	(void)state;
	start(&event, &input);
	for (uint32_t i = 0; i < INPUT_QUEUE_MAX * 2; i++)
		add(input, INPUT_KEY, 30, 1);
	add(input, INPUT_KEY, 30, 0);
	input_clear(input);
	assert_in_range(record.n, INPUT_BURST, INPUT_QUEUE_MAX);
	add(input, INPUT_KEY, 31, 1);
	while (record.events[record.n - 1].a != 31)
		assert_true(sd_event_run(event, 1000000) > 0);
	stop(event, input);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_burst_is_paced_and_whole),
	    cmocka_unit_test(positions_keep_their_place_and_do_not_pile_up),
	    cmocka_unit_test(a_flood_is_bounded_but_keys_are_released),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
