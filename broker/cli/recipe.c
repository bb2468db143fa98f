/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/recipe.h"

#include "common/cleanup.h"
#include "common/ini_text.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define VALUE_MAX 16384 /* bytes of all lines of a key */
#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define BLANKS " \t"

struct recipe {
	char *text[RECIPE_COUNT]; /* NULL: not given */
};

static const struct recipe_key *key_find(const char *section, const char *name)
{
	for (size_t i = 0; i < RECIPE_COUNT; i++)
		if (strcmp(recipe_table[i].section, section) == 0 && strcmp(recipe_table[i].name, name) == 0)
			return &recipe_table[i];
	return NULL;
}

static bool is_section(const char *section)
{
	for (size_t i = 0; i < RECIPE_COUNT; i++)
		if (strcmp(recipe_table[i].section, section) == 0)
			return true;
	return false;
}

static bool is_list(const struct recipe_key *key)
{
	return key->type == RECIPE_WORDS || key->type == RECIPE_FILES || key->type == RECIPE_PATHS;
}

/* Words of letters, digits and what the key allows, none like an option; blanks between them where it takes several. */
static int check_word(const struct recipe_key *key, const char *value, struct error *err)
{
	char allowed[128];

	snprintf(allowed, sizeof(allowed), ALNUM "%s%s", key->allowed, key->type == RECIPE_WORDS ? BLANKS : "");
	if (strlen(value) != strspn(value, allowed))
		return error_set(err, -EINVAL, "%s = %s: only letters, digits%s and %s may be in it", key->name, value,
				 key->type == RECIPE_WORDS ? ", blanks" : "", key->allowed);
	for (const char *at = value; *at != '\0'; at++)
		if (*at == '-' && (at == value || strchr(BLANKS, at[-1])))
			return error_set(err, -EINVAL, "%s = %s: no word may begin with -", key->name, value);
	return *value == '\0' && key->type == RECIPE_WORD
		   ? error_set(err, -EINVAL, "%s is empty: %s", key->name, key->help)
		   : 0;
}

static int check_text(const struct recipe_key *key, const char *value, struct error *err)
{
	for (const char *at = value; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			return error_set(err, -EINVAL, "%s holds a control character", key->name);
	return *value == '\0' && key->value && *key->value != '\0'
		   ? error_set(err, -EINVAL, "%s is empty: %s", key->name, key->help)
		   : 0;
}

static int check_size(const struct recipe_key *key, const char *value, struct error *err)
{
	size_t digits = strspn(value, "0123456789");
	int64_t mib = digits <= 15 ? strtoll(value, NULL, 10) : -1;

	if (digits == 0 || (strcmp(value + digits, "M") != 0 && strcmp(value + digits, "G") != 0))
		return error_set(err, -EINVAL, "%s = %s: give a size with its unit, such as 8192M or 16G", key->name,
				 value);
	if (value[digits] == 'G')
		mib *= 1024;
	if (mib < key->min || mib > key->max)
		return error_set(err, -ERANGE, "%s = %s is out of range: %" PRId64 "G to %" PRId64 "G", key->name,
				 value, key->min / 1024, key->max / 1024);
	return 0;
}

/* Cuts text at blanks into up to max words; returns how many there are in all. */
static size_t split_words(char *text, char **words, size_t max)
{
	size_t n = 0;
	char *save = NULL;

	for (char *word = strtok_r(text, BLANKS, &save); word; word = strtok_r(NULL, BLANKS, &save), n++)
		if (n < max)
			words[n] = word;
	return n;
}

static int check_target(const struct recipe_key *key, const char *target, struct error *err)
{
	size_t length = strlen(target);

	if (target[0] != '/' || target[length - 1] == '/' || strstr(target, "/../") ||
	    (length >= 3 && strcmp(target + length - 3, "/..") == 0))
		return error_set(err, -EINVAL, "%s: %s is not the absolute path of a file without ..", key->name,
				 target);
	return 0;
}

static int check_copy(const struct recipe_key *key, const char *value, struct error *err)
{
	_cleanup_free_ char *copy = strdup(value);
	char *words[3] = {NULL};
	size_t n;
	int r;

	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	n = split_words(copy, words, 3);
	if (n < 2 || n > 3)
		return error_set(err, -EINVAL, "%s = %s: give SOURCE TARGET [MODE]; no blanks in a path", key->name,
				 value);
	r = check_target(key, words[1], err);
	if (r < 0 || n < 3)
		return r;
	return strlen(words[2]) >= 3 && strlen(words[2]) <= 4 && words[2][strspn(words[2], "01234567")] == '\0'
		   ? 0
		   : error_set(err, -EINVAL, "%s: the mode %s is not three or four octal digits", key->name, words[2]);
}

static int check_value(const struct recipe_key *key, const char *value, struct error *err)
{
	int r = check_text(key, value, err);

	if (r < 0)
		return r;
	switch (key->type) {
	case RECIPE_WORD:
	case RECIPE_WORDS:
		return check_word(key, value, err);
	case RECIPE_SIZE:
		return check_size(key, value, err);
	case RECIPE_FILES:
		return check_copy(key, value, err);
	case RECIPE_PATHS:
		return *value ? 0 : error_set(err, -EINVAL, "%s is empty: give a path", key->name);
	case RECIPE_TEXT:
		break;
	}
	return 0;
}

/* The first value, or one more of a list. */
static int add_value(char **text, const struct recipe_key *key, const char *value, struct error *err)
{
	char *all = NULL;

	if (*text && !is_list(key))
		return error_set(err, -EEXIST, "%s is given twice", key->name);
	if (strlen(value) + (*text ? strlen(*text) : 0) > VALUE_MAX)
		return error_set(err, -E2BIG, "%s is longer than %d bytes in all", key->name, VALUE_MAX);
	if (asprintf(&all, "%s%s%s", *text ? *text : "",
		     !*text                      ? ""
		     : key->type == RECIPE_WORDS ? " "
						 : "\n",
		     value) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	free(*text);
	*text = all;
	return 0;
}

static int take_pair(const char *section, const char *name, const char *value, void *userdata, struct error *err)
{
	const struct recipe_key *key = key_find(section, name);
	struct recipe *recipe = userdata;
	int r;

	if (!key && is_section(section))
		return error_set(err, -EINVAL, "unknown key %s in [%s]; `hotdesk image build --help` lists the keys",
				 name, section);
	if (!key)
		return error_set(err, -EINVAL, "unknown section [%s]; there are: [image], [files], [scripts]", section);
	r = check_value(key, value, err);
	return r < 0 ? r : add_value(&recipe->text[key->id], key, value, err);
}

static int check_given(const struct recipe *recipe, const char *name, struct error *err)
{
	for (size_t i = 0; i < RECIPE_COUNT; i++) {
		assert(recipe_table[i].id == (enum recipe_id)i);
		if (!recipe->text[i] && !recipe_table[i].value)
			return error_set(err, -EINVAL, "%s: [%s] %s is missing: %s", name, recipe_table[i].section,
					 recipe_table[i].name, recipe_table[i].help);
	}
	return 0;
}

int recipe_parse(const char *name, const char *text, size_t size, struct recipe **ret, struct error *err)
{
	_cleanup_(recipe_freep) struct recipe *recipe = calloc(1, sizeof(*recipe));
	int r;

	if (!recipe)
		return error_set(err, -ENOMEM, "out of memory");
	if (size > RECIPE_MAX)
		return error_set(err, -EFBIG, "%s: longer than %u KiB", name, RECIPE_MAX >> 10);
	r = ini_text_read(name, text, size, take_pair, recipe, err);
	if (r == 0)
		r = check_given(recipe, name, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(recipe);
	return 0;
}

void recipe_free(struct recipe *recipe)
{
	if (!recipe)
		return;
	for (size_t i = 0; i < RECIPE_COUNT; i++)
		free(recipe->text[i]);
	free(recipe);
}

void recipe_freep(struct recipe **recipe)
{
	recipe_free(*recipe);
}

const char *recipe_string(const struct recipe *recipe, enum recipe_id id)
{
	return recipe->text[id] ? recipe->text[id] : recipe_table[id].value;
}
