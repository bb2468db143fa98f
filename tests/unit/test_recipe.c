/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recipes of images: what is read, what is refused with file and line, and the command line made of it. */
#include "broker/cli/builder.h"
#include "broker/cli/recipe.h"
#include "common/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct recipe *parse_good(const char *text)
{
	struct recipe *recipe = NULL;
	struct error err = {0};

	if (recipe_parse("my.recipe", text, strlen(text), &recipe, &err) < 0)
		fail_msg("%s", err.text);
	return recipe;
}

static void parse_bad(const char *text, const char *wanted)
{
	struct recipe *recipe = NULL;
	struct error err = {0};

	if (recipe_parse("my.recipe", text, strlen(text), &recipe, &err) == 0)
		fail_msg("\"%s\" was taken", text);
	assert_null(recipe);
	if (!strstr(err.text, wanted))
		fail_msg("\"%s\" does not say \"%s\"", err.text, wanted);
}

static void defaults_stand_for_what_is_not_said(void **state)
{
	_cleanup_(recipe_freep) struct recipe *recipe = parse_good("[image]\nrelease = bookworm\n");

	(void)state;
	assert_string_equal(recipe_string(recipe, RECIPE_RELEASE), "bookworm");
	assert_string_equal(recipe_string(recipe, RECIPE_PACKAGES), "");
	assert_string_equal(recipe_string(recipe, RECIPE_DISK_SIZE), "16G");
	assert_string_equal(recipe_string(recipe, RECIPE_DESKTOP), "x-session-manager");
}

static void lists_grow_by_lines(void **state)
{
	_cleanup_(recipe_freep) struct recipe *recipe =
	    parse_good("[image]\nrelease = trixie\npackages = a b\n  c++ d.e\npackages = f\n"
		       "[scripts]\nrun = one\nrun = two words\n");

	(void)state;
	assert_string_equal(recipe_string(recipe, RECIPE_PACKAGES), "a b c++ d.e f");
	assert_string_equal(recipe_string(recipe, RECIPE_RUN), "one\ntwo words");
}

static void errors_name_file_and_line(void **state)
{
	(void)state;
	parse_bad("[image]\nrelease = bookworm\ncolour = red\n", "my.recipe:3: unknown key colour in [image]");
	parse_bad("[image]\nrelease = bookworm\n[disk]\nsize = 3\n", "my.recipe:4: unknown section [disk]");
	parse_bad("[image]\nrelease\n", "my.recipe:2: ");
	parse_bad("[image]\nlocale = C.UTF-8\n", "[image] release is missing");
	parse_bad("[image]\nrelease = bookworm\nrelease = trixie\n", "my.recipe:3: release is given twice");
	/* The first error is told, not the last. */
	parse_bad("[image]\nrelease = book worm\ncolour = red\n", "my.recipe:2: release = book worm");
}

static void bad_values_are_refused(void **state)
{
	(void)state;
	parse_bad("[image]\nrelease =\n", "release is empty");
	parse_bad("[image]\nrelease = -b\n", "begin with -");
	parse_bad("[image]\nrelease = ../x\n", "only letters");
	parse_bad("[image]\npackages = a $(b)\n", "only letters");
	parse_bad("[image]\npackages = a -o=b\n", "only letters");
	parse_bad("[image]\npackages = a --purge\n", "begin with -");
	parse_bad("[image]\ndesktop = startxfce4; reboot\n", "only letters");
	parse_bad("[image]\ntimezone = ../../etc/shadow\n", "only letters");
	parse_bad("[image]\nkeyboard = \n", "keyboard is empty");
	parse_bad("[image]\ndisk-size = 16\n", "with its unit");
	parse_bad("[image]\ndisk-size = 1G\n", "out of range: 4G to 2048G");
	parse_bad("[image]\ndisk-size = 999999999999999999999G\n", "out of range");
	parse_bad("[image]\nkernel-options = a\033b\n", "control character");
	parse_bad("[image]\nkernel-options = quiet;x\n", "kernel-options");
	parse_bad("[files]\ncopy = a\n", "SOURCE TARGET");
	parse_bad("[files]\ncopy = a /b 644 c\n", "SOURCE TARGET");
	parse_bad("[files]\ncopy = a b\n", "absolute path");
	parse_bad("[files]\ncopy = a /b/../../c\n", "absolute path");
	parse_bad("[files]\ncopy = a /b/..\n", "absolute path");
	parse_bad("[files]\ncopy = a /b/\n", "absolute path");
	parse_bad("[files]\ncopy = a /b 648\n", "octal");
	parse_bad("[scripts]\nrun =\n", "give a path");
}

static void lines_too_long_are_refused_not_cut(void **state)
{
	char text[400] = "[image]\nrelease = bookworm\npackages = ";
	size_t used = strlen(text);

	(void)state;
	memset(text + used, 'a', 250);
	text[used + 250] = '\0';
	parse_bad(text, "my.recipe:3: the line is longer than");
}

static void a_whole_recipe_may_not_grow_for_ever(void **state)
{
	_cleanup_free_ char *text = malloc(RECIPE_MAX);
	size_t used = (size_t)sprintf(text, "[image]\nrelease = bookworm\n");

	(void)state;
	while (used + 64 < RECIPE_MAX)
		used += (size_t)sprintf(text + used, "packages = aaaaaaaaaaaaaaaaaaaaaaaa\n");
	parse_bad(text, "longer than 16384 bytes in all");
}

static void the_command_line_has_all_of_it(void **state)
{
	static const char *const wanted[] = {"prog",
					     "--set",
					     "release=bookworm",
					     "--set",
					     "packages=x y",
					     "--set",
					     "desktop=x-session-manager",
					     "--set",
					     "locale=C.UTF-8",
					     "--set",
					     "timezone=Etc/UTC",
					     "--set",
					     "keyboard=us",
					     "--set",
					     "disk-size=16G",
					     "--set",
					     "kernel-options=a=b c",
					     "--set",
					     "apt-source=",
					     "--file",
					     "/dir/w.png",
					     "/usr/w.png",
					     "644",
					     "--file",
					     "/abs",
					     "/x",
					     "0755",
					     "--script",
					     "/dir/s 1"};
	_cleanup_(recipe_freep) struct recipe *recipe =
	    parse_good("[image]\nrelease = bookworm\npackages = x y\nkernel-options = a=b c\n"
		       "[files]\ncopy = w.png /usr/w.png\ncopy = /abs /x 0755\n[scripts]\nrun = s 1\n");
	char *argv[64] = {strdup("prog")}, *few[4] = {NULL};

	(void)state;
	assert_int_equal(recipe_arguments(recipe, "/dir", argv, 64), 0);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_string_equal(argv[i], wanted[i]);
	assert_null(argv[sizeof(wanted) / sizeof(wanted[0])]);
	arguments_clear(argv);
	assert_int_equal(recipe_arguments(recipe, "/dir", few, 4), -E2BIG);
	arguments_clear(few);
}

static void each_key_has_help(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	recipe_print_keys(out);
	fclose(out);
	for (size_t i = 0; i < RECIPE_COUNT; i++) {
		assert_int_equal(recipe_table[i].id, i);
		assert_non_null(strstr(text, recipe_table[i].name));
		assert_non_null(strstr(text, recipe_table[i].help));
	}
}

static void lines_of_the_builder(void **state)
{
	struct builder_line line = {0};

	(void)state;
	assert_int_equal(builder_line_parse("at 42 installing packages", &line), 0);
	assert_int_equal(line.kind, BUILDER_AT);
	assert_int_equal(line.number, 42);
	assert_string_equal(line.text, "installing packages");
	assert_int_equal(builder_line_parse("step disk 9", &line), 0);
	assert_int_equal(line.kind, BUILDER_STEP);
	assert_int_equal(line.number, 9);
	assert_string_equal(line.text, "disk");
	assert_int_equal(builder_line_parse("error no room", &line), 0);
	assert_int_equal(line.kind, BUILDER_ERROR);
	assert_string_equal(line.text, "no room");
	assert_int_equal(builder_line_parse("at x y", &line), -EBADMSG);
	assert_int_equal(builder_line_parse("at 1234567890 y", &line), -EBADMSG);
	assert_int_equal(builder_line_parse("step disk", &line), -EBADMSG);
	assert_int_equal(builder_line_parse("step disk 9s", &line), -EBADMSG);
	assert_int_equal(builder_line_parse("", &line), -EBADMSG);
	assert_string_equal(line.text, "no room");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_stand_for_what_is_not_said),
	    cmocka_unit_test(lists_grow_by_lines),
	    cmocka_unit_test(errors_name_file_and_line),
	    cmocka_unit_test(bad_values_are_refused),
	    cmocka_unit_test(lines_too_long_are_refused_not_cut),
	    cmocka_unit_test(a_whole_recipe_may_not_grow_for_ever),
	    cmocka_unit_test(the_command_line_has_all_of_it),
	    cmocka_unit_test(each_key_has_help),
	    cmocka_unit_test(lines_of_the_builder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
