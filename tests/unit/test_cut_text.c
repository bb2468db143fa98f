/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/cut_text.h"
#include "display/viewer/rfb_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX 1000

static struct cut_text_reader reader;

static int set_up(void **state)
{
	(void)state;
	cut_text_reader_init(&reader, TEXT_MAX);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cut_text_reader_done(&reader);
	return 0;
}

/* A whole message in parts of `step` bytes. */
static struct cut_text_message read_all(bool extended, const void *data, size_t size, size_t step)
{
	struct cut_text_message message = {.kind = CUT_TEXT_NONE};
	size_t at = 0;

	do {
		size_t n = size - at < step ? size - at : step;

		message =
		    cut_text_read(&reader, at == 0, at + n == size, extended, size, (const uint8_t *)data + at, n);
		at += n;
	} while (at < size);
	return message;
}

/* What a viewer sends: flags, and the zipped length and text. */
static size_t provide(uint8_t *to, size_t room, uint32_t length, const void *text, size_t size, int flush)
{
	z_stream stream = {0};
	uint8_t head[4];

	assert_int_equal(deflateInit(&stream, Z_DEFAULT_COMPRESSION), Z_OK);
	put_u32(to, CUT_PROVIDE | CUT_FORMAT_TEXT);
	put_u32(head, length);
	stream.next_out = to + 4;
	stream.avail_out = (uInt)(room - 4);
	stream.next_in = head;
	stream.avail_in = sizeof(head);
	assert_int_equal(deflate(&stream, Z_NO_FLUSH), Z_OK);
	stream.next_in = (uint8_t *)(uintptr_t)text;
	stream.avail_in = (uInt)size;
	assert_true(deflate(&stream, flush) >= Z_OK);
	deflateEnd(&stream);
	return room - stream.avail_out;
}

static void assert_text(struct cut_text_message message, const char *text)
{
	assert_int_equal(message.kind, CUT_TEXT_TEXT);
	assert_int_equal(message.size, strlen(text));
	assert_memory_equal(message.text, text, message.size);
	free(message.text);
}

static void latin1_becomes_utf8_however_it_is_cut(void **state)
{
	(void)state;
	assert_text(read_all(false, "Gr\374\337e\r\n\247", 8, 3), "Grüße\n§");
	assert_text(read_all(false, "", 0, 1), "");
}

/* libvncserver takes the NUL for a part of the text (setXCutTextUTF8). */
static void the_nul_at_the_end_is_no_part_of_the_text(void **state)
{
	uint8_t message[256];

	(void)state;
	for (size_t step = 1; step < 40; step += 13)
		assert_text(read_all(true, message,
				     provide(message, sizeof(message), 8, "a\r\nb\xe2\x82\xac", 8, Z_SYNC_FLUSH), step),
			    "a\nb€");
}

/* libvncserver closes the client at the end of a zipped stream. */
static void a_stream_may_end(void **state)
{
	uint8_t message[256];

	(void)state;
	assert_text(read_all(true, message, provide(message, sizeof(message), 4, "end", 4, Z_FINISH), 1), "end");
	assert_text(read_all(true, message, provide(message, sizeof(message), 5, "more", 5, Z_SYNC_FLUSH), 99), "more");
}

/* libvncserver ignores a client's notify. */
static void all_actions_are_told(void **state)
{
	static const uint32_t actions[] = {CUT_CAPS | CUT_REQUEST | CUT_PEEK | CUT_NOTIFY | CUT_PROVIDE, CUT_NOTIFY,
					   CUT_REQUEST, CUT_PEEK};
	uint8_t message[8] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		struct cut_text_message got;

		put_u32(message, actions[i] | CUT_FORMAT_TEXT);
		got = read_all(true, message, sizeof(message), 3);
		assert_int_equal(got.kind, CUT_TEXT_ACTION);
		assert_int_equal(got.flags, actions[i] | CUT_FORMAT_TEXT);
	}
}

/* libvncserver's text in Latin-1 for other viewers has a length that does not fit what follows. */
static void what_does_not_fit_latin1_is_a_question_mark_and_counted_right(void **state)
{
	static const char text[] = "a€ä日👍b";
	size_t size = 0;
	uint8_t *message = cut_text_latin1(text, sizeof(text) - 1, &size);

	(void)state;
	assert_int_equal(size, 8 + 6);
	assert_int_equal(message[0], SERVER_CUT_TEXT);
	assert_int_equal(get_u32(message + 4), 6);
	assert_memory_equal(message + 8, "a?\344??b", 6);
	free(message);
}

static void what_is_provided_can_be_read_again(void **state)
{
	char text[TEXT_MAX + 1];
	size_t size = 0;
	uint8_t *message;

	(void)state;
	for (size_t i = 0; i < TEXT_MAX; i++)
		text[i] = i % 7 ? 'x' : '\n';
	text[TEXT_MAX] = '\0';
	message = cut_text_provide(text, TEXT_MAX, &size);
	assert_int_equal(get_u32(message + 4), (uint32_t) - (int32_t)(size - 8));
	assert_text(read_all(true, message + 8, size - 8, 5), text);
	free(message);
}

static void lies_bombs_and_rubbish_are_no_texts(void **state)
{
	static const char zeros[100 * TEXT_MAX];
	uint8_t message[4096];

	(void)state;
	assert_int_equal(
	    read_all(true, message, provide(message, sizeof(message), 9, "short", 5, Z_SYNC_FLUSH), 4).kind,
	    CUT_TEXT_NONE);
	assert_int_equal(read_all(true, message,
				  provide(message, sizeof(message), sizeof(zeros), zeros, sizeof(zeros), Z_SYNC_FLUSH),
				  64)
			     .kind,
			 CUT_TEXT_TOO_LONG);
	assert_true(reader.room <= 2 * TEXT_MAX + 1);
	assert_int_equal(read_all(false, zeros, TEXT_MAX + 1, 100).kind, CUT_TEXT_TOO_LONG);
	put_u32(message, CUT_PROVIDE | CUT_FORMAT_TEXT);
	memset(message + 4, 'x', 100);
	assert_int_equal(read_all(true, message, 104, 50).kind, CUT_TEXT_NONE);
	assert_int_equal(read_all(true, message, 3, 1).kind, CUT_TEXT_NONE);
	put_u32(message, 0);
	assert_int_equal(read_all(true, message, 4, 4).kind, CUT_TEXT_NONE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(latin1_becomes_utf8_however_it_is_cut, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_nul_at_the_end_is_no_part_of_the_text, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_stream_may_end, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(all_actions_are_told, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_does_not_fit_latin1_is_a_question_mark_and_counted_right, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(what_is_provided_can_be_read_again, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(lies_bombs_and_rubbish_are_no_texts, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
