/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void what_moves_a_terminal_or_turns_a_line_is_not_printable(void **state)
{
	static const char *const bad[] = {"a\nb",         "\033[2J",      "\177", "\302\2332J",   "\342\200\256x",
					  "\342\200\217", "\342\201\246", "\377", "\355\240\200", "\300\257"};

	(void)state;
	assert_true(text_is_printable("Jürgen Groß — 東京 🙂"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(text_is_printable(bad[i]));
}

static void a_copy_has_blanks_in_their_place(void **state)
{
	char copy[64];

	(void)state;
	text_copy_printable("a\302\2332J\342\200\256b\377\n", copy, sizeof(copy));
	assert_string_equal(copy, "a 2J b  ");
	text_copy_printable(NULL, copy, sizeof(copy));
	assert_string_equal(copy, "");
}

static void a_copy_ends_at_a_whole_character(void **state)
{
	char copy[5];

	(void)state;
	text_copy_printable("abc\303\274", copy, sizeof(copy));
	assert_string_equal(copy, "abc");
	text_copy_printable("ab\303\274", copy, sizeof(copy));
	assert_string_equal(copy, "ab\303\274");
}

static void what_is_not_utf8_is_mended_in_its_place(void **state)
{
	char text[] = "a\0b\355\240\200\300\257\360\237\221\215\342\202";

	(void)state;
	text_mend(text, sizeof(text) - 1);
	assert_string_equal(text, "a?b?????\360\237\221\215??");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_moves_a_terminal_or_turns_a_line_is_not_printable),
	    cmocka_unit_test(a_copy_has_blanks_in_their_place),
	    cmocka_unit_test(a_copy_ends_at_a_whole_character),
	    cmocka_unit_test(what_is_not_utf8_is_mended_in_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
