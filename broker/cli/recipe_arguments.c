/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a recipe says, as the command line of build-image; and its keys as help. */
#include "broker/cli/recipe.h"

#include "common/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

struct arguments {
	char **argv;
	size_t n, max;
	int r; /* of the first that failed; then nothing more is added */
};

static void __attribute__((format(printf, 2, 3))) add(struct arguments *arguments, const char *format, ...)
{
	char *text = NULL;
	va_list list;
	int length;

	if (arguments->r == 0 && arguments->n + 1 >= arguments->max)
		arguments->r = -E2BIG;
	if (arguments->r < 0)
		return;
	va_start(list, format);
	length = vasprintf(&text, format, list);
	va_end(list);
	if (length < 0) {
		arguments->r = -ENOMEM;
		return;
	}
	arguments->argv[arguments->n++] = text;
	arguments->argv[arguments->n] = NULL;
}

static void add_path(struct arguments *arguments, const char *directory, const char *path)
{
	add(arguments, "%s%s%s", path[0] == '/' ? "" : directory, path[0] == '/' ? "" : "/", path);
}

static void add_copy(struct arguments *arguments, const char *directory, char *line)
{
	char *save = NULL;
	const char *source = strtok_r(line, " \t", &save), *target = strtok_r(NULL, " \t", &save);
	const char *mode = strtok_r(NULL, " \t", &save);

	/* recipe_parse has seen that both are there. */
	if (!source || !target)
		return;
	add(arguments, "--file");
	add_path(arguments, directory, source);
	add(arguments, "%s", target);
	add(arguments, "%s", mode ? mode : "644");
}

static void add_script(struct arguments *arguments, const char *directory, char *line)
{
	add(arguments, "--script");
	add_path(arguments, directory, line);
}

static void add_lines(struct arguments *arguments, const char *directory, const char *lines,
		      void (*add_line)(struct arguments *arguments, const char *directory, char *line))
{
	_cleanup_free_ char *copy = strdup(lines);
	char *save = NULL;

	if (!copy)
		arguments->r = -ENOMEM;
	for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
		add_line(arguments, directory, line);
}

int recipe_arguments(const struct recipe *recipe, const char *directory, char **argv, size_t max)
{
	struct arguments arguments = {.argv = argv, .max = max};

	while (argv[arguments.n])
		arguments.n++;
	for (size_t i = 0; i < RECIPE_COUNT; i++) {
		const char *value = recipe_string(recipe, (enum recipe_id)i);

		if (recipe_table[i].type == RECIPE_FILES) {
			add_lines(&arguments, directory, value, add_copy);
		} else if (recipe_table[i].type == RECIPE_PATHS) {
			add_lines(&arguments, directory, value, add_script);
		} else {
			add(&arguments, "--set");
			add(&arguments, "%s=%s", recipe_table[i].name, value);
		}
	}
	return arguments.r;
}

void arguments_clear(char **argv)
{
	for (; *argv; argv++) {
		free(*argv);
		*argv = NULL;
	}
}

void recipe_print_keys(FILE *out)
{
	const char *section = "";

	for (const struct recipe_key *key = recipe_table; key < recipe_table + RECIPE_COUNT; key++) {
		if (strcmp(section, key->section) != 0)
			fprintf(out, "  [%s]\n", key->section);
		section = key->section;
		fprintf(out, "    %-22s%s", key->name, key->help);
		if (key->type == RECIPE_SIZE)
			fprintf(out, " %" PRId64 "G to %" PRId64 "G.", key->min / 1024, key->max / 1024);
		if (key->value && *key->value)
			fprintf(out, " Default: %s", key->value);
		fputs("\n", out);
	}
}
