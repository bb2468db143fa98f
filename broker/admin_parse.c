/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Command lines and JSON arguments against the table of commands: pure, for the CLI and, as the peer may be anybody's,
 * the broker. */
#include "broker/admin_table.h"

#include "broker/pool_keys.h"
#include "common/cleanup.h"

#include <errno.h>
#include <string.h>

#define ADMIN_TEXT_MAX 1000
#define ADMIN_PAIRS_MAX 64

static void json_putp(struct json_object **object)
{
	json_object_put(*object);
}

static int put_string(struct json_object *object, const char *key, const char *value, struct error *err)
{
	struct json_object *string = json_object_new_string(value);

	if (string && json_object_object_add(object, key, string) == 0)
		return 0;
	json_object_put(string);
	return error_set(err, -ENOMEM, "out of memory");
}

static bool is_digits(const char *text, size_t max)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && digits <= max && text[digits] == '\0';
}

static bool is_image(const char *text)
{
	const char *colon = strchr(text, ':');
	char name[STORE_NAME_SIZE];

	if (!colon)
		return name_is_valid(text);
	if ((size_t)(colon - text) >= sizeof(name) || !is_digits(colon + 1, 9) || colon[1] == '0')
		return false;
	memcpy(name, text, (size_t)(colon - text));
	name[colon - text] = '\0';
	return name_is_valid(name);
}

/* What is wrong with a value, as "..., what it takes"; NULL when nothing is. */
static const char *value_problem(enum admin_kind kind, const char *value)
{
	switch (kind) {
	case ADMIN_NAME:
		return name_is_valid(value) ? NULL : "give up to 32 small letters, digits and dashes, no dash first";
	case ADMIN_IMAGE:
		return is_image(value) ? NULL : "give NAME or NAME:VERSION as `hotdesk image list` shows them";
	case ADMIN_VERSION:
		return is_image(value) && strchr(value, ':') ? NULL
							     : "give NAME:VERSION as `hotdesk image list` shows them";
	case ADMIN_COUNT:
		return is_digits(value, 4) ? NULL : "give a number from 0 to 9999";
	case ADMIN_DESKTOP:
		return desktop_id_is_valid(value) ? NULL : "give an id as `hotdesk desktop list` shows it";
	case ADMIN_NUMBER:
		return is_digits(value, 18) ? NULL : "give a number as `hotdesk session list` shows it";
	case ADMIN_USER:
		return user_is_valid(value) ? NULL : "give a name of 1 to 255 bytes of printable UTF-8";
	case ADMIN_TEXT:
		return strlen(value) <= ADMIN_TEXT_MAX ? NULL : "give at most 1000 bytes";
	case ADMIN_FILE:
		return *value ? NULL : "give a file";
	case ADMIN_FLAG:
		return strcmp(value, "yes") == 0 ? NULL : "it takes no value";
	case ADMIN_PAIRS:
	case ADMIN_END:
		break;
	}
	return "it takes KEY=VALUE pairs";
}

static int check_file_index(const char *label, const char *value, size_t n_files, struct error *err)
{
	if (n_files == SIZE_MAX)
		return 0;
	if (!is_digits(value, 2) || (size_t)atoi(value) >= n_files) /* NOLINT(cert-err34-c): digits alone */
		return error_set(err, -EINVAL, "%s: no file came with it; use a hotdesk of the broker's version",
				 label);
	return 0;
}

/* All pairs that there are belong to pools. */
static int check_pairs(const struct admin_argument *argument, struct json_object *value, struct error *err)
{
	struct pool scratch = {.name = ""};

	if (!json_object_is_type(value, json_type_object) || json_object_object_length(value) == 0 ||
	    json_object_object_length(value) > ADMIN_PAIRS_MAX)
		return error_set(err, -EINVAL, "give at least one %s", argument->label);
	json_object_object_foreach(value, key, text)
	{
		int r = json_object_is_type(text, json_type_string)
			    ? pool_keys_set(&scratch, key, json_object_get_string(text), err)
			    : error_set(err, -EINVAL, "%.40s: not a text", key);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The argument as a person typed it: "NAME" or "--user". */
static void argument_label(const struct admin_argument *argument, bool option, char *buffer, size_t size)
{
	snprintf(buffer, size, "%s%s", option ? "--" : "", option ? argument->key : argument->label);
}

static int check_value(const struct admin_argument *argument, bool option, struct json_object *value, size_t n_files,
		       struct error *err)
{
	char label[64];
	const char *text, *problem;

	if (argument->kind == ADMIN_PAIRS)
		return check_pairs(argument, value, err);
	argument_label(argument, option, label, sizeof(label));
	if (!json_object_is_type(value, json_type_string) ||
	    strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value))
		return error_set(err, -EINVAL, "%s: not a text", label);
	text = json_object_get_string(value);
	problem = value_problem(argument->kind, text);
	if (problem)
		return error_set(err, -EINVAL, "%s \"%.64s\": %s", label, text, problem);
	return argument->kind == ADMIN_FILE ? check_file_index(label, text, n_files, err) : 0;
}

static int check_needs(const struct admin_argument *option, struct json_object *arguments, struct error *err)
{
	if (!option->needs || !admin_given(arguments, option->key) || admin_given(arguments, option->needs))
		return 0;
	return error_set(err, -EINVAL, "--%s needs --%s: give both or none", option->key, option->needs);
}

static int check_list(const struct admin_argument *list, bool option, struct json_object *arguments, size_t n_files,
		      struct error *err)
{
	for (; list->kind != ADMIN_END; list++) {
		struct json_object *value = NULL;
		char label[64];
		int r = 0;

		argument_label(list, option, label, sizeof(label));
		if (json_object_object_get_ex(arguments, list->key, &value))
			r = check_value(list, option, value, n_files, err);
		else if (!list->optional)
			r = error_set(err, -EINVAL, "%s is missing: %s", label, list->help);
		if (r == 0)
			r = check_needs(list, arguments, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool has_key(const struct admin_argument *list, const char *key)
{
	for (; list->kind != ADMIN_END; list++)
		if (strcmp(list->key, key) == 0)
			return true;
	return false;
}

static int check_one_of(const struct admin_command *command, struct json_object *arguments, struct error *err)
{
	unsigned given = 0;

	if (!(command->flags & ADMIN_ONE_OF))
		return 0;
	for (const struct admin_argument *option = command->options; option->kind != ADMIN_END; option++)
		given += admin_given(arguments, option->key);
	if (given == 1)
		return 0;
	return error_set(err, -EINVAL, "give one of --%s %s and --%s %s", command->options[0].key,
			 command->options[0].label, command->options[1].key, command->options[1].label);
}

int admin_check(const struct admin_command *command, struct json_object *arguments, size_t n_files, struct error *err)
{
	int r;

	if (!json_object_is_type(arguments, json_type_object))
		return error_set(err, -EINVAL, "the arguments are no JSON object");
	json_object_object_foreach(arguments, key, value)
	{
		(void)value;
		if (!has_key(command->arguments, key) && !has_key(command->options, key))
			return error_set(err, -EINVAL,
					 "unknown argument \"%.40s\"; use a hotdesk of the broker's version", key);
	}
	r = check_list(command->arguments, false, arguments, n_files, err);
	if (r == 0)
		r = check_list(command->options, true, arguments, n_files, err);
	return r < 0 ? r : check_one_of(command, arguments, err);
}

static int unknown_option(const struct admin_command *command, const char *word, struct error *err)
{
	const char *keys[ADMIN_OPTIONS_MAX + 1] = {NULL};
	const char *near;
	char name[64];

	for (size_t i = 0; command->options[i].kind != ADMIN_END; i++)
		keys[i] = command->options[i].key;
	near = admin_nearest(word, keys);
	admin_command_name(command, name, sizeof(name));
	return error_set(err, -EINVAL, "`%s` has no option --%.40s%s%s%s", name, word, near ? "; did you mean --" : "",
			 near ? near : "", near ? "?" : "");
}

static const struct admin_argument *find_option(const struct admin_command *command, const char *word, size_t length)
{
	for (const struct admin_argument *option = command->options; option->kind != ADMIN_END; option++)
		if (strlen(option->key) == length && strncmp(option->key, word, length) == 0)
			return option;
	return NULL;
}

/* --KEY VALUE, --KEY=VALUE or --FLAG at argv[*at]; moves *at over a value of its own. */
static int parse_option(const struct admin_command *command, int argc, char *const *argv, int *at,
			struct json_object *into, struct error *err)
{
	const char *word = argv[*at] + 2;
	size_t length = strcspn(word, "=");
	const struct admin_argument *option = find_option(command, word, length);
	const char *value = word[length] == '=' ? word + length + 1 : NULL;

	if (!option)
		return unknown_option(command, word, err);
	if (admin_given(into, option->key))
		return error_set(err, -EINVAL, "--%s is given twice", option->key);
	if (option->kind == ADMIN_FLAG)
		return value ? error_set(err, -EINVAL, "--%s takes no value", option->key)
			     : put_string(into, option->key, "yes", err);
	if (!value) {
		if (*at + 1 >= argc)
			return error_set(err, -EINVAL, "--%s needs a value: %s", option->key, option->help);
		value = argv[++*at];
	}
	return put_string(into, option->key, value, err);
}

static int parse_pair(const struct admin_argument *argument, const char *word, struct json_object *into,
		      struct error *err)
{
	const char *equals = strchr(word, '=');
	struct json_object *pairs = NULL;
	char key[64];

	if (!equals || equals == word || (size_t)(equals - word) >= sizeof(key))
		return error_set(err, -EINVAL, "\"%.64s\" is no KEY=VALUE", word);
	memcpy(key, word, (size_t)(equals - word));
	key[equals - word] = '\0';
	if (!json_object_object_get_ex(into, argument->key, &pairs)) {
		pairs = json_object_new_object();
		if (!pairs || json_object_object_add(into, argument->key, pairs) < 0)
			return error_set(err, -ENOMEM, "out of memory");
	}
	if (json_object_object_get_ex(pairs, key, NULL))
		return error_set(err, -EINVAL, "%s is given twice", key);
	return put_string(pairs, key, equals + 1, err);
}

int admin_parse(const struct admin_command *command, int argc, char *const *argv, struct json_object **ret,
		struct error *err)
{
	_cleanup_(json_putp) struct json_object *into = json_object_new_object();
	const struct admin_argument *next = command->arguments;
	bool options_end = false;
	int r = into ? 0 : error_set(err, -ENOMEM, "out of memory");

	for (int i = 0; r == 0 && i < argc; i++) {
		if (!options_end && strcmp(argv[i], "--") == 0)
			options_end = true;
		else if (!options_end && strncmp(argv[i], "--", 2) == 0)
			r = parse_option(command, argc, argv, &i, into, err);
		else if (next->kind == ADMIN_END)
			r = error_set(err, -EINVAL, "\"%.64s\" is one argument too many", argv[i]);
		else if (next->kind == ADMIN_PAIRS)
			r = parse_pair(next, argv[i], into, err);
		else
			r = put_string(into, next++->key, argv[i], err);
	}
	if (r == 0)
		r = admin_check(command, into, SIZE_MAX, err);
	if (r == 0)
		*ret = steal_ptr(into);
	return r;
}

const char *admin_string(struct json_object *arguments, const char *key)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(arguments, key, &value) ? json_object_get_string(value) : NULL;
}

bool admin_given(struct json_object *arguments, const char *key)
{
	return json_object_object_get_ex(arguments, key, NULL);
}
