/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The recipe of a golden image: INI, one table of section, key, type, default and help (recipe_table.c). */
#ifndef CLI_RECIPE_H
#define CLI_RECIPE_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define RECIPE_MAX (256u << 10) /* bytes of a recipe */

enum recipe_id {
	RECIPE_RELEASE,
	RECIPE_PACKAGES,
	RECIPE_DESKTOP,
	RECIPE_LOCALE,
	RECIPE_TIMEZONE,
	RECIPE_KEYBOARD,
	RECIPE_DISK_SIZE,
	RECIPE_KERNEL_OPTIONS,
	RECIPE_APT_SOURCE,
	RECIPE_COPY,
	RECIPE_RUN,
	RECIPE_COUNT
};

enum recipe_type {
	RECIPE_WORD,  /* of the characters allowed */
	RECIPE_WORDS, /* several, separated by blanks; may be given again and goes on in indented lines */
	RECIPE_TEXT,  /* one line */
	RECIPE_SIZE,  /* 8192M, 16G; min and max in MiB */
	RECIPE_FILES, /* SOURCE TARGET [MODE], once for each file */
	RECIPE_PATHS, /* a path, once for each file */
};

struct recipe_key {
	enum recipe_id id;
	enum recipe_type type;
	const char *section, *name;
	const char *value;   /* the default; NULL: it must be given */
	const char *allowed; /* of RECIPE_WORD and RECIPE_WORDS, beside letters and digits */
	int64_t min, max;
	const char *help;
};

/* RECIPE_COUNT rows, in order of enum recipe_id. */
extern const struct recipe_key recipe_table[];

struct recipe;

/* name stands for the file in messages; text[size] is a NUL. 0, or a negative errno with err's text "NAME:LINE: ...".
 */
int recipe_parse(const char *name, const char *text, size_t size, struct recipe **ret, struct error *err);
void recipe_free(struct recipe *recipe);
void recipe_freep(struct recipe **recipe);

/* Never NULL; entries of what can be given several times stand in lines (RECIPE_WORDS: separated by blanks). */
const char *recipe_string(const struct recipe *recipe, enum recipe_id id);

/*
 * Appends what build-image takes to argv (room for max, NULL behind the last): --set, --file and --script, paths
 * relative to directory. The strings are the caller's (arguments_clear). 0, -ENOMEM, -E2BIG.
 */
int recipe_arguments(const struct recipe *recipe, const char *directory, char **argv, size_t max);
void arguments_clear(char **argv);

/* The keys with what they take, for --help. */
void recipe_print_keys(FILE *out);

#endif
