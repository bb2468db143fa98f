/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/agent_codec.h"

#include "host/json.h"

#include <errno.h>
#include <string.h>

static enum agent_type type_of(const char *name)
{
	if (strcmp(name, "hello") == 0)
		return AGENT_HELLO;
	if (strcmp(name, "ready") == 0)
		return AGENT_READY;
	return strcmp(name, "heartbeat") == 0 ? AGENT_HEARTBEAT : AGENT_UNKNOWN;
}

/* Copies a word of harmless characters that fits; anything else becomes "". */
static bool take_word(const char *text, char *ret, size_t size)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t length = text ? strlen(text) : 0;

	ret[0] = '\0';
	if (length == 0 || length >= size || strspn(text, allowed) != length)
		return false;
	memcpy(ret, text, length + 1);
	return true;
}

static void take_capabilities(struct json_object *object, struct agent_message *message)
{
	struct json_object *list = json_member(object, "capabilities", json_type_array);
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n && message->n_capabilities < AGENT_CAPABILITIES_MAX; i++) {
		struct json_object *word = json_object_array_get_idx(list, i);

		if (json_object_is_type(word, json_type_string) &&
		    take_word(json_object_get_string(word), message->capabilities[message->n_capabilities],
			      AGENT_WORD_SIZE))
			message->n_capabilities++;
	}
}

static int take_hello(struct json_object *object, struct agent_message *message)
{
	int64_t version = json_number(object, "version", 0);

	if (version < 1 || version > UINT32_MAX)
		return -EBADMSG;
	message->version = (uint32_t)version;
	message->ready = json_flag(object, "ready");
	take_word(json_text(object, "nonce"), message->nonce, sizeof(message->nonce));
	take_word(json_text(object, "agent"), message->agent, sizeof(message->agent));
	take_capabilities(object, message);
	return 0;
}

int agent_parse(const char *line, size_t size, struct agent_message *ret)
{
	_cleanup_json_ struct json_object *object = NULL;
	struct agent_message message = {0};
	const char *type;
	int r = 0;

	if (size > AGENT_LINE_MAX)
		return -EBADMSG;
	object = json_read(line, size, json_type_object);
	type = json_text(object, "type");
	if (!type)
		return -EBADMSG;
	message.type = type_of(type);
	if (message.type == AGENT_HELLO)
		r = take_hello(object, &message);
	if (r == 0)
		*ret = message;
	return r;
}

size_t agent_hello(const char *nonce, char *buffer, size_t size)
{
	int length =
	    snprintf(buffer, size, "\n{\"type\":\"hello\",\"version\":%d,\"nonce\":\"%s\"}\n", AGENT_VERSION, nonce);

	return length > 0 && (size_t)length < size ? (size_t)length : 0;
}
