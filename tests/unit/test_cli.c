/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every command knows, and how replies look. */
#include "broker/cli/options.h"
#include "broker/cli/table.h"
#include "broker/cli/view.h"
#include "common/cleanup.h"

#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void options_are_found_anywhere(void **state)
{
	char *argv[] = {"hotdesk", "-o", "json", "desktop", "--config=/x", "list", "--pool", "p", "--", "--help", NULL};
	struct options options = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(options_parse(10, argv, &options, &err), 0);
	assert_true(options.json);
	assert_false(options.help);
	assert_string_equal(options.config, "/x");
	assert_int_equal(options.n_words, 6);
	assert_string_equal(options.words[0], "desktop");
	assert_string_equal(options.words[5], "--help");
	options_clear(&options);
}

static void bad_options_are_named(void **state)
{
	char *format[] = {"hotdesk", "-o", "yaml", NULL}, *value[] = {"hotdesk", "status", "--config", NULL};
	struct options options = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(options_parse(3, format, &options, &err), -EINVAL);
	assert_string_equal(err.text, "-o yaml: give table or json");
	assert_int_equal(options_parse(3, value, &options, &err), -EINVAL);
	assert_string_equal(err.text, "--config needs a value");
}

static void assert_view(const char *name, const char *json, const char *expected_out, const char *expected_hints)
{
	struct json_object *reply = json_tokener_parse(json);
	_cleanup_free_ char *out = NULL, *hints = NULL;
	size_t out_size, hints_size;
	FILE *out_file = open_memstream(&out, &out_size), *hints_file = open_memstream(&hints, &hints_size);

	assert_non_null(reply);
	view_print(name, reply, out_file, hints_file);
	fclose(out_file);
	fclose(hints_file);
	json_object_put(reply);
	assert_string_equal(out, expected_out);
	assert_string_equal(hints, expected_hints);
}

static void columns_are_aligned_by_width(void **state)
{
	(void)state;
	assert_int_equal(text_width("Zoë"), 3);
	assert_int_equal(text_width("名前"), 4);
	assert_view(
	    "session list",
	    "[{\"id\":1,\"user\":\"名前\",\"pool\":\"a\",\"desktop\":\"a-1\",\"state\":\"active\",\"viewers\":[{}],"
	    "\"started\":\"2026-11-23T00:26:22Z\"},"
	    "{\"id\":12,\"user\":\"Zoë\",\"pool\":\"\",\"desktop\":\"a-2\",\"state\":\"disconnected\",\"viewers\":[]}]",
	    "ID  USER  POOL  DESKTOP  STATE         VIEWERS  STARTED\n"
	    "1   名前  a     a-1      active        1        2026-11-23 00:26:22 UTC\n"
	    "12  Zoë   -     a-2      disconnected  0        -\n",
	    "");
}

static void foreign_bytes_do_not_reach_the_terminal(void **state)
{
	(void)state;
	assert_view("host show", "{\"a\":\"x\\u001b[31m\\ny\"}", "a  x?[31m?y\n", "");
}

static void empty_list_says_how_to_go_on(void **state)
{
	(void)state;
	assert_view("pool list", "[]", "", "no pools yet: hotdesk pool create NAME image=IMAGE\n");
}

static void message_is_all_a_person_sees(void **state)
{
	(void)state;
	assert_view("pool create", "{\"name\":\"office\",\"message\":\"pool office is made\"}", "pool office is made\n",
		    "");
}

static void one_thing_is_lines(void **state)
{
	(void)state;
	assert_view("host show",
		    "{\"accel\":\"tcg\",\"memory_free_mib\":512,\"nat\":false,\"users\":[\"a\",\"b\"],\"x\":null}",
		    "accel        tcg\nmemory free  512 MiB\nnat          no\nusers        a, b\nx            -\n", "");
	assert_view("status",
		    "{\"programs\":{\"gate\":true,\"auth\":false},"
		    "\"desktops\":{\"total\":3,\"states\":{\"ready\":2,\"booting\":1}},\"pools\":[{\"name\":\"p\","
		    "\"desktops\":2}]}",
		    "programs  gate runs, auth DOES NOT ANSWER\ndesktops  total 3, ready 2, booting 1\n\nPOOL  "
		    "DESKTOPS  SPARES  MAX\np     2         -       -\n",
		    "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(options_are_found_anywhere),   cmocka_unit_test(bad_options_are_named),
	    cmocka_unit_test(columns_are_aligned_by_width), cmocka_unit_test(foreign_bytes_do_not_reach_the_terminal),
	    cmocka_unit_test(empty_list_says_how_to_go_on), cmocka_unit_test(message_is_all_a_person_sees),
	    cmocka_unit_test(one_thing_is_lines),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
