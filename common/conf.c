/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/conf.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/ini_text.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define CONF_FILE_MAX (1u << 20)
#define CONF_VALUE_MAX 4096

struct conf {
	char *text[CONF_COUNT];
	int64_t number[CONF_COUNT];
};

static const struct conf_key *conf_find(const char *section, const char *name)
{
	for (size_t i = 0; i < CONF_COUNT; i++)
		if (strcmp(conf_table[i].section, section) == 0 && strcmp(conf_table[i].name, name) == 0)
			return &conf_table[i];
	return NULL;
}

static bool conf_has_section(const char *section)
{
	for (size_t i = 0; i < CONF_COUNT; i++)
		if (strcmp(conf_table[i].section, section) == 0)
			return true;
	return false;
}

static const char *number_text(enum conf_type type)
{
	return type == CONF_SECONDS ? "duration such as 90, 90s, 30m or 2h"
	       : type == CONF_SIZE  ? "size such as 65536, 64K or 8M"
				    : "number";
}

/* What a unit's letter stands for; 0: nothing of this type. */
static int64_t unit_factor(enum conf_type type, char unit)
{
	static const struct {
		enum conf_type type;
		char unit;
		int64_t factor;
	} units[] = {{CONF_SECONDS, 's', 1},    {CONF_SECONDS, 'm', 60},   {CONF_SECONDS, 'h', 3600},
		     {CONF_SIZE, 'K', 1 << 10}, {CONF_SIZE, 'M', 1 << 20}, {CONF_SIZE, 'G', 1 << 30}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].type == type && units[i].unit == unit)
			return units[i].factor;
	return 0;
}

static int parse_number(const struct conf_key *key, const char *value, int64_t *ret, struct error *err)
{
	int64_t factor = 1;
	long long number;
	char *end;

	errno = 0;
	number = strtoll(value, &end, 10);
	if (errno != 0 || end == value)
		return error_set(err, -EINVAL, "%s = %s is not a number", key->name, value);
	if (*end != '\0')
		factor = end[1] == '\0' ? unit_factor(key->type, *end) : 0;
	if (factor == 0 || number > INT64_MAX / factor || (number < 0 && factor != 1))
		return error_set(err, -EINVAL, "%s = %s is not a %s", key->name, value, number_text(key->type));
	number *= factor;
	if (number < key->min || number > key->max)
		return error_set(err, -ERANGE, "%s = %s is out of range: %lld to %lld", key->name, value,
				 (long long)key->min, (long long)key->max);
	*ret = number;
	return 0;
}

static int parse_bool(const struct conf_key *key, const char *value, int64_t *ret, struct error *err)
{
	static const struct {
		const char *word;
		int value;
	} words[] = {{"yes", 1}, {"true", 1}, {"on", 1}, {"1", 1}, {"no", 0}, {"false", 0}, {"off", 0}, {"0", 0}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(value, words[i].word) == 0) {
			*ret = words[i].value;
			return 0;
		}
	return error_set(err, -EINVAL, "%s = %s is neither yes nor no", key->name, value);
}

static int check_choice(const struct conf_key *key, const char *value, struct error *err)
{
	size_t length = strlen(value);

	for (const char *at = key->choices; at; at = strchr(at, '|')) {
		at += *at == '|';
		if (length > 0 && !strchr(value, '|') && strncmp(at, value, length) == 0 &&
		    (at[length] == '|' || at[length] == '\0'))
			return 0;
	}
	return error_set(err, -EINVAL, "%s = %s is not one of %s", key->name, value, key->choices);
}

static int conf_check(const struct conf_key *key, const char *value, int64_t *ret, struct error *err)
{
	switch (key->type) {
	case CONF_NUMBER:
	case CONF_SECONDS:
	case CONF_SIZE:
		return parse_number(key, value, ret, err);
	case CONF_BOOL:
		return parse_bool(key, value, ret, err);
	case CONF_CHOICE:
		return check_choice(key, value, err);
	case CONF_PATH:
		if (value[0] != '\0' ? value[0] != '/' : key->value[0] != '\0')
			return error_set(err, -EINVAL, "%s = %s is not an absolute path", key->name, value);
		return 0;
	case CONF_STRING:
		return 0;
	}
	return error_set(err, -EINVAL, "%s has no type", key->name);
}

static int conf_set(struct conf *conf, const struct conf_key *key, const char *value, struct error *err)
{
	int64_t number = 0;
	char *copy;
	int r;

	if (strlen(value) > CONF_VALUE_MAX)
		return error_set(err, -E2BIG, "%s is longer than %d bytes", key->name, CONF_VALUE_MAX);
	r = conf_check(key, value, &number, err);
	if (r < 0)
		return r;
	copy = strdup(value);
	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	free(conf->text[key->id]);
	conf->text[key->id] = copy;
	conf->number[key->id] = number;
	return 0;
}

static int conf_handle(const char *section, const char *name, const char *value, void *userdata, struct error *err)
{
	const struct conf_key *key = conf_find(section, name);

	if (key)
		return conf_set(userdata, key, value, err);
	return conf_has_section(section) ? error_set(err, -EINVAL, "unknown key %s in [%s]", name, section)
					 : error_set(err, -EINVAL, "unknown section [%s]", section);
}

static int conf_defaults(struct conf *conf, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < CONF_COUNT && r == 0; i++) {
		assert(conf_table[i].id == (enum conf_id)i);
		r = conf_set(conf, &conf_table[i], conf_table[i].value, err);
	}
	return r;
}

/* What no single key can see. */
static int conf_check_whole(const struct conf *conf, struct error *err)
{
	if ((conf_string(conf, CONF_GATE_CERTIFICATE)[0] == '\0') != (conf_string(conf, CONF_GATE_KEY)[0] == '\0'))
		return error_set(err, -EINVAL, "[gate] certificate and key go together: set both or neither");
	return 0;
}

static int conf_read(struct conf *conf, const char *name, const char *text, size_t size, struct error *err)
{
	int r = conf_defaults(conf, err);

	if (r == 0)
		r = ini_text_read(name, text, size, conf_handle, conf, err);
	if (r < 0)
		return r;
	r = conf_check_whole(conf, err);
	if (r < 0)
		error_prefix(err, "%s", name);
	return r;
}

int conf_parse(const char *name, const char *text, size_t size, struct conf **ret, struct error *err)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	int r;

	if (!conf)
		return error_set(err, -ENOMEM, "out of memory");
	r = conf_read(conf, name, text, size, err);
	if (r < 0)
		conf_free(conf);
	else
		*ret = conf;
	return r;
}

int conf_load(const char *path, struct conf **ret, struct error *err)
{
	const char *named = path ? path : getenv("HOTDESK_CONFIG");
	const char *file = named ? named : CONF_DEFAULT_PATH;
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r = fs_read_file(file, CONF_FILE_MAX, &text, &size);

	if (r == -ENOENT && !named)
		return conf_parse("defaults", "", 0, ret, err);
	if (r < 0)
		return error_set_errno(err, r, "cannot read the configuration %s", file);
	return conf_parse(file, text, size, ret, err);
}

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	for (size_t i = 0; i < CONF_COUNT; i++)
		free(conf->text[i]);
	free(conf);
}

void conf_freep(struct conf **conf)
{
	conf_free(*conf);
}

const char *conf_string(const struct conf *conf, enum conf_id id)
{
	return conf->text[id];
}

int64_t conf_number(const struct conf *conf, enum conf_id id)
{
	assert(conf_table[id].type == CONF_NUMBER || conf_table[id].type == CONF_SECONDS ||
	       conf_table[id].type == CONF_SIZE);
	return conf->number[id];
}

bool conf_bool(const struct conf *conf, enum conf_id id)
{
	assert(conf_table[id].type == CONF_BOOL);
	return conf->number[id] != 0;
}

char *conf_dump(const struct conf *conf)
{
	const char *section = "";
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < CONF_COUNT; i++) {
		const struct conf_key *key = &conf_table[i];

		if (strcmp(section, key->section) != 0)
			fprintf(out, "%s[%s]\n", i ? "\n" : "", key->section);
		section = key->section;
		fprintf(out, "# %s\n%s = %s\n", key->help, key->name, conf->text[i]);
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
