/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Usage and help out of the table of commands, and the guess at a mistyped word. */
#include "broker/admin_table.h"

#include "broker/pool_keys.h"
#include "common/cleanup.h"

#include <stdint.h>
#include <string.h>

#define HELP_COLUMN 26
#define WORD_MAX 32

static void print_argument(FILE *out, const struct admin_argument *argument)
{
	const char *more = argument->kind == ADMIN_PAIRS ? "..." : "";

	fprintf(out, argument->optional ? " [%s%s]" : " %s%s", argument->label, more);
}

static void print_option_word(FILE *out, const struct admin_argument *option)
{
	fprintf(out, "--%s%s%s", option->key, option->label ? " " : "", option->label ? option->label : "");
}

static void print_usage(FILE *out, const struct admin_command *command)
{
	bool one_of = command->flags & ADMIN_ONE_OF;
	char name[64];

	admin_command_name(command, name, sizeof(name));
	fprintf(out, "hotdesk %s", name);
	for (const struct admin_argument *argument = command->arguments; argument->kind != ADMIN_END; argument++)
		print_argument(out, argument);
	for (const struct admin_argument *option = command->options; option->kind != ADMIN_END; option++) {
		bool brackets = option->optional && !one_of;

		fputs(one_of && option != command->options ? " | " : " ", out);
		fputs(brackets ? "[" : "", out);
		print_option_word(out, option);
		fputs(brackets ? "]" : "", out);
	}
}

/* A text made by printing; NULL when out of memory. */
static char *printed(void (*print)(FILE *out, const void *what), const void *what)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	print(out, what);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void print_usage_of(FILE *out, const void *command)
{
	print_usage(out, command);
}

char *admin_usage(const struct admin_command *command)
{
	return printed(print_usage_of, command);
}

static void print_line(FILE *out, const char *word, const char *help)
{
	if (strlen(word) < HELP_COLUMN - 3)
		fprintf(out, "  %-*s%s\n", HELP_COLUMN - 2, word, help);
	else
		fprintf(out, "  %s\n%*s%s\n", word, HELP_COLUMN, "", help);
}

static void key_takes(const struct pool_key *key, char *buffer, size_t size)
{
	switch (key->type) {
	case POOL_KEY_IMAGE:
		snprintf(buffer, size, "%s=IMAGE", key->name);
		break;
	case POOL_KEY_KIND:
		snprintf(buffer, size, "%s=floating|dedicated", key->name);
		break;
	case POOL_KEY_MEMORY:
		snprintf(buffer, size, "%s=SIZE", key->name);
		break;
	case POOL_KEY_NUMBER:
		snprintf(buffer, size, "%s=%lld..%lld", key->name, (long long)key->min, (long long)key->max);
		break;
	case POOL_KEY_KEYBOARD:
		snprintf(buffer, size, "%s=LAYOUT", key->name);
		break;
	case POOL_KEY_GROUPS:
		snprintf(buffer, size, "%s=NAME,...", key->name);
		break;
	case POOL_KEY_CLIPBOARD:
		snprintf(buffer, size, "%s=none|in|out|both", key->name);
		break;
	case POOL_KEY_FLAG:
		snprintf(buffer, size, "%s=on|off", key->name);
		break;
	}
}

static void print_pool_keys(FILE *out)
{
	fputs("\nSettings:\n", out);
	for (const struct pool_key *key = pool_keys; key->name; key++) {
		char word[64], help[256];

		key_takes(key, word, sizeof(word));
		snprintf(help, sizeof(help), "%s%s%s", key->help, key->value ? " Default: " : "",
			 key->value ? key->value : "");
		print_line(out, word, help);
	}
}

static void print_arguments(FILE *out, const struct admin_command *command)
{
	if (command->arguments[0].kind != ADMIN_END)
		fputs("\nArguments:\n", out);
	for (const struct admin_argument *argument = command->arguments; argument->kind != ADMIN_END; argument++)
		print_line(out, argument->label, argument->help);
	if (command->options[0].kind != ADMIN_END)
		fputs("\nOptions:\n", out);
	for (const struct admin_argument *option = command->options; option->kind != ADMIN_END; option++) {
		char word[64];

		snprintf(word, sizeof(word), "--%s%s%s", option->key, option->label ? " " : "",
			 option->label ? option->label : "");
		print_line(out, word, option->help);
	}
}

static void print_help(FILE *out, const void *what)
{
	const struct admin_command *command = what;

	fputs("Usage: ", out);
	print_usage(out, command);
	fprintf(out, "\n\n%s.%s%s\n", command->summary, command->help ? "\n" : "", command->help ? command->help : "");
	print_arguments(out, command);
	if (command->flags & ADMIN_POOL_KEYS)
		print_pool_keys(out);
}

char *admin_help(const struct admin_command *command)
{
	return printed(print_help, command);
}

static void print_list(FILE *out, const void *noun)
{
	for (const struct admin_command *command = admin_commands; command->noun; command++) {
		char name[64];

		admin_command_name(command, name, sizeof(name));
		if (!noun || strcmp(command->noun, noun) == 0)
			print_line(out, name, command->summary);
	}
}

char *admin_help_list(const char *noun)
{
	return printed(print_list, noun);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, replace a letter) from one word to another, both shorter than WORD_MAX. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], columns = strlen(b);

	for (size_t j = 0; j <= columns; j++)
		row[j] = j;
	for (size_t i = 1; i <= strlen(a); i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= columns; j++) {
			size_t above = row[j];

			row[j] = least(least(above, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[columns];
}

const char *admin_nearest(const char *word, const char *const *words)
{
	const char *best = NULL;
	size_t best_distance = SIZE_MAX;

	if (strlen(word) > WORD_MAX)
		return NULL;
	for (; *words; words++) {
		size_t distance = edit_distance(word, *words);

		/* At most half of the letters may be wrong: "foo" is no mistyped "show". */
		if (distance < best_distance && distance * 2 <= strlen(*words) && strlen(*words) <= WORD_MAX) {
			best = *words;
			best_distance = distance;
		}
	}
	return best;
}
