/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/codec.h"

#include "common/cleanup.h"
#include "guest-agent/json.h"

#include <errno.h>
#include <string.h>

#define CODEC_DEPTH_MAX 8

/* Room for `more` bytes and a NUL. */
static int lines_grow(struct lines *lines, size_t more)
{
	size_t want = lines->used + more + 1;
	char *data;

	if (want <= lines->room)
		return 0;
	if (want < 2 * lines->room)
		want = 2 * lines->room;
	data = realloc(lines->data, want);
	if (!data)
		return -ENOMEM;
	lines->data = data;
	lines->room = want;
	return 0;
}

static int lines_append(struct lines *lines, const char *data, size_t size)
{
	int r;

	if (lines->skipping || size == 0)
		return 0;
	if (lines->used + size >= CODEC_LINE_MAX) {
		lines->skipping = true;
		return 0;
	}
	r = lines_grow(lines, size);
	if (r < 0)
		return r;
	memcpy(lines->data + lines->used, data, size);
	lines->used += size;
	return 0;
}

int lines_feed(struct lines *lines, const char *data, size_t size, lines_fn fn, void *userdata)
{
	while (size > 0) {
		const char *end = memchr(data, '\n', size);
		size_t part = end ? (size_t)(end - data) : size;
		int r = lines_append(lines, data, part);

		if (r < 0)
			return r;
		if (!end)
			return 0;
		if (!lines->skipping && lines->used > 0) {
			lines->data[lines->used] = '\0';
			fn(lines->data, lines->used, userdata);
		}
		lines_reset(lines);
		data += part + 1;
		size -= part + 1;
	}
	return 0;
}

void lines_reset(struct lines *lines)
{
	lines->used = 0;
	lines->skipping = false;
}

void lines_clear(struct lines *lines)
{
	free(lines->data);
	*lines = (struct lines){0};
}

static void tokener_freep(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

/* A whole object and nothing but blanks behind it, else NULL. */
static struct json_object *parse_object(const char *line, size_t size)
{
	_cleanup_(tokener_freep) struct json_tokener *tokener = json_tokener_new_ex(CODEC_DEPTH_MAX);
	_cleanup_(json_putp) struct json_object *object = NULL;

	if (!tokener || size >= CODEC_LINE_MAX)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	/* The NUL behind the line ends a number or literal at top level. */
	object = json_tokener_parse_ex(tokener, line, (int)size + 1);
	if (json_tokener_get_error(tokener) != json_tokener_success || !json_object_is_type(object, json_type_object))
		return NULL;
	return steal_ptr(object);
}

/* A string of at most size - 1 bytes without a NUL in it, when the key is there. */
static int take_text(struct json_object *object, const char *key, char *ret, size_t size)
{
	struct json_object *value;
	const char *text;

	if (!json_object_object_get_ex(object, key, &value))
		return 0;
	if (!json_object_is_type(value, json_type_string))
		return -EBADMSG;
	text = json_object_get_string(value);
	if ((size_t)json_object_get_string_len(value) >= size ||
	    strlen(text) != (size_t)json_object_get_string_len(value))
		return -EBADMSG;
	memcpy(ret, text, strlen(text) + 1);
	return 0;
}

/* A whole number of min to max, when the key is there. */
static int take_number(struct json_object *object, const char *key, int64_t min, int64_t max, int64_t *ret)
{
	struct json_object *value;
	int64_t number;

	if (!json_object_object_get_ex(object, key, &value))
		return 0;
	number = json_object_get_int64(value);
	if (!json_object_is_type(value, json_type_int) || number < min || number > max)
		return -EBADMSG;
	*ret = number;
	return 0;
}

static bool is_only(const char *text, const char *allowed)
{
	return text[strspn(text, allowed)] == '\0';
}

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyz"

static int parse_hello(struct json_object *object, struct message *message)
{
	int64_t version = 0;

	if (take_number(object, "version", 1, UINT32_MAX, &version) < 0 ||
	    take_text(object, "nonce", message->nonce, sizeof(message->nonce)) < 0 ||
	    !is_only(message->nonce, DIGITS "abcdefABCDEF"))
		return -EBADMSG;
	message->version = (uint32_t)version;
	return 0;
}

static int parse_groups(struct json_object *object, struct person *person)
{
	struct json_object *array;

	if (!json_object_object_get_ex(object, "groups", &array))
		return 0;
	if (!json_object_is_type(array, json_type_array) || json_object_array_length(array) > CODEC_GROUPS_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *value = json_object_array_get_idx(array, i);
		char *group = person->groups[i];

		if (!json_object_is_type(value, json_type_string) ||
		    (size_t)json_object_get_string_len(value) >= CODEC_GROUP_MAX)
			return -EBADMSG;
		memcpy(group, json_object_get_string(value), (size_t)json_object_get_string_len(value) + 1);
		if (group[0] == '\0' || group[0] == '-' || !is_only(group, LETTERS DIGITS "_-"))
			return -EBADMSG;
		person->n_groups++;
	}
	return 0;
}

/* uid and gid: 0 stands for not given, which no sign-in has. */
static int parse_sign_in(struct json_object *object, struct message *message)
{
	struct person *person = &message->person;
	int64_t uid = 0, gid = 0;

	if (take_text(object, "name", person->name, sizeof(person->name)) < 0 ||
	    take_text(object, "full_name", person->full_name, sizeof(person->full_name)) < 0 ||
	    take_number(object, "uid", 1, UINT32_MAX - 1, &uid) < 0 ||
	    take_number(object, "gid", 1, UINT32_MAX - 1, &gid) < 0 || parse_groups(object, person) < 0)
		return -EBADMSG;
	person->uid = (uint32_t)uid;
	person->gid = (uint32_t)gid;
	return person->name[0] == '\0' || uid == 0 || gid == 0 ? -EBADMSG : 0;
}

static int parse_time(struct json_object *object, struct message *message)
{
	return take_number(object, "time", 1, INT64_MAX / 2, &message->time) < 0 || message->time == 0 ? -EBADMSG : 0;
}

/* A label of RFC 1123 in lower case. */
static int parse_hostname(struct json_object *object, struct message *message)
{
	const char *name = message->text;
	size_t size;

	if (take_text(object, "hostname", message->text, CODEC_HOSTNAME_MAX) < 0)
		return -EBADMSG;
	size = strlen(name);
	return size == 0 || !is_only(name, LETTERS DIGITS "-") || name[0] == '-' || name[size - 1] == '-' ? -EBADMSG
													  : 0;
}

static int parse_machine_id(struct json_object *object, struct message *message)
{
	if (take_text(object, "machine_id", message->text, CODEC_MACHINE_ID_MAX) < 0)
		return -EBADMSG;
	return strlen(message->text) != CODEC_MACHINE_ID_MAX - 1 || !is_only(message->text, DIGITS "abcdef") ? -EBADMSG
													     : 0;
}

static const struct {
	const char *name;
	int (*parse)(struct json_object *object, struct message *message); /* NULL: no fields */
} types[MESSAGE_TYPES] = {
    [MESSAGE_HELLO] = {"hello", parse_hello},
    [MESSAGE_SESSION] = {"session", parse_hello},
    [MESSAGE_LOCKED] = {"locked", NULL},
    [MESSAGE_CLIPBOARD] = {"clipboard", NULL},
    [MESSAGE_SIGN_IN] = {"sign-in", parse_sign_in},
    [MESSAGE_LOG_OFF] = {"log-off", NULL},
    [MESSAGE_LOCK] = {"lock", NULL},
    [MESSAGE_UNLOCK] = {"unlock", NULL},
    [MESSAGE_REBOOT] = {"reboot", NULL},
    [MESSAGE_POWER_OFF] = {"power-off", NULL},
    [MESSAGE_SET_TIME] = {"set-time", parse_time},
    [MESSAGE_SET_HOSTNAME] = {"set-hostname", parse_hostname},
    [MESSAGE_SET_MACHINE_ID] = {"set-machine-id", parse_machine_id},
};

const char *message_name(enum message_type type)
{
	return type > MESSAGE_UNKNOWN && type < MESSAGE_TYPES ? types[type].name : "unknown";
}

static enum message_type type_of(const char *name)
{
	for (size_t i = 1; i < MESSAGE_TYPES; i++)
		if (strcmp(types[i].name, name) == 0)
			return (enum message_type)i;
	return MESSAGE_UNKNOWN;
}

int message_parse(const char *line, size_t size, struct message *ret)
{
	_cleanup_(json_putp) struct json_object *object = parse_object(line, size);
	struct json_object *type;
	int64_t id = 0;

	*ret = (struct message){0};
	if (!object || !json_object_object_get_ex(object, "type", &type) ||
	    !json_object_is_type(type, json_type_string))
		return -EBADMSG;
	ret->type = type_of(json_object_get_string(type));
	if (take_number(object, "id", 1, INT32_MAX, &id) < 0)
		return -EBADMSG;
	ret->id = (uint32_t)id;
	return types[ret->type].parse ? types[ret->type].parse(object, ret) : 0;
}
