/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/sound_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants those four first */
#include <cmocka.h>

static void push(struct sound_queue *queue, const char *pcm)
{
	sound_queue_push(queue, (const uint8_t *)pcm, strlen(pcm), 8);
}

/* What the viewer is sent, in short: "<" begin, ">" end, and the PCM. */
static void expect(struct sound_queue *queue, const char *sent)
{
	char got[64] = {0};
	struct sound_item *item;

	do {
		size_t at = 0;

		if (sound_queue_ended(queue))
			got[strlen(got)] = '>';
		item = sound_queue_take(queue);
		if (!item)
			break;
		if (memcmp(item->message, "\xff\1\0\1", 4) == 0) {
			got[strlen(got)] = '<';
			at = 4;
		}
		assert_memory_equal(item->message + at, "\xff\1\0\2\0\0\0", 7);
		assert_int_equal(item->message[at + 7], item->pcm);
		assert_int_equal(item->size, at + 8 + item->pcm);
		strncat(got, (const char *)item->message + at + 8, item->pcm);
		free(item);
	} while (true);
	assert_string_equal(got, sent);
}

static void test_begins_once_and_ends_behind_what_is_queued(void **state)
{
	struct sound_queue queue;

	(void)state;
	sound_queue_init(&queue);
	assert_false(sound_queue_waits(&queue));
	push(&queue, "ab");
	assert_true(sound_queue_waits(&queue));
	expect(&queue, "<ab");
	push(&queue, "cd");
	sound_queue_end(&queue);
	expect(&queue, "cd>");
	expect(&queue, "");
	push(&queue, "ef");
	expect(&queue, "<ef");
	sound_queue_done(&queue);
}

static void test_an_end_is_forgotten_where_sound_goes_on(void **state)
{
	struct sound_queue queue;

	(void)state;
	sound_queue_init(&queue);
	push(&queue, "ab");
	sound_queue_end(&queue);
	push(&queue, "cd");
	expect(&queue, "<abcd");
	sound_queue_done(&queue);
}

static void test_a_cut_drops_and_ends_before_what_follows(void **state)
{
	struct sound_queue queue;

	(void)state;
	sound_queue_init(&queue);
	sound_queue_cut(&queue);
	push(&queue, "ab");
	sound_queue_cut(&queue);
	expect(&queue, "");
	push(&queue, "cd");
	expect(&queue, "<cd");
	push(&queue, "ef");
	sound_queue_cut(&queue);
	push(&queue, "gh");
	expect(&queue, "><gh");
	sound_queue_done(&queue);
}

/* Between the two questions of the RFB thread: what is of another format must not come before "end". */
static void test_nothing_passes_a_cut(void **state)
{
	struct sound_queue queue;

	(void)state;
	sound_queue_init(&queue);
	push(&queue, "ab");
	expect(&queue, "<ab");
	assert_false(sound_queue_ended(&queue));
	sound_queue_cut(&queue);
	push(&queue, "cd");
	assert_null(sound_queue_take(&queue));
	expect(&queue, "><cd");
	sound_queue_done(&queue);
}

static void test_the_oldest_are_dropped(void **state)
{
	struct sound_queue queue;

	(void)state;
	sound_queue_init(&queue);
	push(&queue, "abc");
	push(&queue, "def");
	push(&queue, "ghi");
	assert_int_equal(queue.pcm, 6);
	expect(&queue, "<defghi");
	push(&queue, "longer than all");
	assert_int_equal(queue.pcm, 0);
	expect(&queue, "");
	push(&queue, "jkl");
	expect(&queue, "jkl");
	sound_queue_done(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_begins_once_and_ends_behind_what_is_queued),
	    cmocka_unit_test(test_an_end_is_forgotten_where_sound_goes_on),
	    cmocka_unit_test(test_a_cut_drops_and_ends_before_what_follows),
	    cmocka_unit_test(test_nothing_passes_a_cut),
	    cmocka_unit_test(test_the_oldest_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
