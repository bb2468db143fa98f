/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The value of `name`, written "name VALUE" or "name=VALUE"; NULL when argv[*at], `word`, is another. *at moves over a
 * value. */
static int option_value(const char *word, char **argv, int *at, const char *name, const char **ret, struct error *err)
{
	size_t length = strlen(name);

	*ret = NULL;
	if (strncmp(word, name, length) != 0 || (word[length] != '\0' && word[length] != '='))
		return 0;
	*ret = word[length] == '=' ? word + length + 1 : argv[++*at];
	return *ret ? 0 : error_set(err, -EINVAL, "%s needs a value", name);
}

static int set_output(const char *format, struct options *options, struct error *err)
{
	if (strcmp(format, "json") != 0 && strcmp(format, "table") != 0)
		return error_set(err, -EINVAL, "-o %.40s: give table or json", format);
	options->json = format[0] == 'j';
	return 0;
}

/* One word at argv[*at]: an option of every command, or kept. */
static int take_word(char **argv, int *at, struct options *options, struct error *err)
{
	const char *word = argv[*at], *value = NULL;
	int r = option_value(word, argv, at, "--config", &value, err);

	if (r == 0 && value) {
		options->config = value;
		return 0;
	}
	if (r == 0)
		r = option_value(word, argv, at, "-o", &value, err);
	if (r < 0 || value)
		return r < 0 ? r : set_output(value, options, err);
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		options->help = true;
	else if (strcmp(word, "--version") == 0)
		options->version = true;
	else
		options->words[options->n_words++] = argv[*at];
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret, struct error *err)
{
	struct options options = {.words = calloc((size_t)argc + 1, sizeof(char *))};
	bool end = false;
	int r = 0;

	if (!options.words)
		return error_set(err, -ENOMEM, "out of memory");
	for (int i = 1; r == 0 && i < argc; i++) {
		end = end || strcmp(argv[i], "--") == 0;
		if (end)
			options.words[options.n_words++] = argv[i];
		else
			r = take_word(argv, &i, &options, err);
	}
	if (r < 0) {
		options_clear(&options);
		return r;
	}
	*ret = options;
	return 0;
}

void options_clear(struct options *options)
{
	free(options->words);
	options->words = NULL;
}
