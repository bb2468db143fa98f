/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/codec.h"

#include "common/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#define CODEC_DEPTH_MAX 8

static const char *const message_names[] = {
    [MESSAGE_HELLO] = "hello",
    [MESSAGE_READY] = "ready",
    [MESSAGE_HEARTBEAT] = "heartbeat",
    [MESSAGE_SESSION] = "session",
};

/* What the root part can do, for the host to choose from; grows with the protocol. */
static const char *const capabilities[] = {"size"};

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

static void json_putp(struct json_object **object)
{
	json_object_put(*object);
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

static enum message_type type_of(const char *name)
{
	for (size_t i = 1; i < sizeof(message_names) / sizeof(message_names[0]); i++)
		if (strcmp(message_names[i], name) == 0)
			return (enum message_type)i;
	return MESSAGE_UNKNOWN;
}

static int parse_version(struct json_object *object, uint32_t *ret)
{
	struct json_object *value;
	int64_t number;

	if (!json_object_object_get_ex(object, "version", &value))
		return 0;
	number = json_object_get_int64(value);
	if (!json_object_is_type(value, json_type_int) || number < 1 || number > UINT32_MAX)
		return -EBADMSG;
	*ret = (uint32_t)number;
	return 0;
}

static int parse_nonce(struct json_object *object, char *ret)
{
	struct json_object *value;
	const char *text;
	size_t size;

	if (!json_object_object_get_ex(object, "nonce", &value))
		return 0;
	if (!json_object_is_type(value, json_type_string))
		return -EBADMSG;
	text = json_object_get_string(value);
	size = (size_t)json_object_get_string_len(value);
	if (size >= CODEC_NONCE_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < size; i++)
		if (!isxdigit((unsigned char)text[i]))
			return -EBADMSG;
	memcpy(ret, text, size + 1);
	return 0;
}

int message_parse(const char *line, size_t size, struct message *ret)
{
	_cleanup_(json_putp) struct json_object *object = parse_object(line, size);
	struct message message = {0};
	struct json_object *type;

	if (!object || !json_object_object_get_ex(object, "type", &type) ||
	    !json_object_is_type(type, json_type_string))
		return -EBADMSG;
	message.type = type_of(json_object_get_string(type));
	if (message.type == MESSAGE_HELLO || message.type == MESSAGE_SESSION) {
		if (parse_version(object, &message.version) < 0 || parse_nonce(object, message.nonce) < 0)
			return -EBADMSG;
	}
	*ret = message;
	return 0;
}

/* json-c's add takes over the value also when it is NULL (a JSON null), which the caller finds out by `*good`. */
static void add(struct json_object *object, const char *key, struct json_object *value, bool *good)
{
	if (!value || json_object_object_add(object, key, value) < 0)
		*good = false;
}

static struct json_object *capability_array(void)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; array && i < sizeof(capabilities) / sizeof(capabilities[0]); i++)
		json_object_array_add(array, json_object_new_string(capabilities[i]));
	return array;
}

static void add_hello(struct json_object *object, const struct message *message, bool ready, bool *good)
{
	add(object, "version", json_object_new_int64(message->version), good);
	add(object, "agent", json_object_new_string(HOTDESK_VERSION), good);
	add(object, "nonce", json_object_new_string(message->nonce), good);
	add(object, "capabilities", capability_array(), good);
	add(object, "ready", json_object_new_boolean(ready), good);
}

int message_write(const struct message *message, bool ready, char **ret, size_t *ret_size)
{
	_cleanup_(json_putp) struct json_object *object = json_object_new_object();
	const char *text;
	bool good = object;
	size_t size;
	char *line;

	if (!good)
		return -ENOMEM;
	add(object, "type", json_object_new_string(message_names[message->type]), &good);
	if (message->type == MESSAGE_HELLO)
		add_hello(object, message, ready, &good);
	else if (message->type == MESSAGE_SESSION)
		add(object, "version", json_object_new_int64(message->version), &good);
	text = good ? json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN) : NULL;
	size = text ? strlen(text) : 0;
	line = text ? malloc(size + 2) : NULL;
	if (!line)
		return -ENOMEM;
	memcpy(line, text, size);
	memcpy(line + size, "\n", 2);
	*ret = line;
	*ret_size = size + 1;
	return 0;
}
