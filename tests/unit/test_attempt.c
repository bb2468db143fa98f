/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/attempt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void names_of_people_are_valid(void **state)
{
	static const char *const names[] = {"alice",
					    "a",
					    "DOMAIN\\alice",
					    "alice@example.org",
					    "alice+desk",
					    "J\xc3\xbcrgen",
					    "\xe6\x97\xa5\xe6\x9c\xac",
					    "\xf0\x9f\x99\x82",
					    "with space"};
	char longest[ATTEMPT_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_true(attempt_name_valid(names[i]));
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_true(attempt_name_valid(longest));
}

static void what_no_name_is_made_of_is_refused(void **state)
{
	static const char *const names[] = {
	    "",
	    "a/b",
	    "a:b",
	    "a\nb",
	    "\x1b[2J",
	    "a\x7f",
	    "\xc2\x9b",         /* a C1 control character */
	    "\xff",             /* no UTF-8 at all */
	    "a\xc3",            /* cut */
	    "\xc0\xaf",         /* '/' in too many bytes */
	    "\xe0\x80\xaf",     /* the same in three */
	    "\xf0\x80\x80\xaf", /* and in four */
	    "\xed\xa0\x80",     /* a surrogate */
	    "\xf4\x90\x80\x80", /* behind U+10FFFF */
	};
	char too_long[ATTEMPT_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_false(attempt_name_valid(names[i]));
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	assert_false(attempt_name_valid(too_long));
}

static void text_of_other_encodings_is_made_readable(void **state)
{
	char latin[] = "J\xfcrgen", whole[] = "J\xc3\xbcrgen", cut[] = "caf\xc3",
	     line[] = "a\nb\xc2\x85"
		      "c";

	(void)state;
	attempt_text_clean(latin);
	assert_string_equal(latin, "J?rgen");
	attempt_text_clean(whole);
	assert_string_equal(whole, "J\xc3\xbcrgen");
	attempt_text_clean(cut);
	assert_string_equal(cut, "caf?");
	attempt_text_clean(line);
	assert_string_equal(line, "a?b??c");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_of_people_are_valid),
	    cmocka_unit_test(what_no_name_is_made_of_is_refused),
	    cmocka_unit_test(text_of_other_encodings_is_made_readable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
