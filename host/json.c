/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/json.h"

#include <limits.h>

#define JSON_DEPTH 16

struct json_object *json_read(const char *text, size_t size, enum json_type type)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *object;
	bool whole;

	if (!tokener || size >= INT_MAX) {
		if (tokener)
			json_tokener_free(tokener);
		return NULL;
	}
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* With the NUL behind it, which ends the value. */
	object = json_tokener_parse_ex(tokener, text, (int)size + 1);
	whole = json_tokener_get_error(tokener) == json_tokener_success && json_object_is_type(object, type);
	json_tokener_free(tokener);
	if (whole)
		return object;
	json_object_put(object);
	return NULL;
}

struct json_object *json_member(struct json_object *object, const char *key, enum json_type type)
{
	struct json_object *value = NULL;

	if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, type))
		return NULL;
	return value;
}

const char *json_text(struct json_object *object, const char *key)
{
	struct json_object *value = json_member(object, key, json_type_string);

	return value ? json_object_get_string(value) : NULL;
}

int64_t json_number(struct json_object *object, const char *key, int64_t def)
{
	struct json_object *value = json_member(object, key, json_type_int);

	return value ? json_object_get_int64(value) : def;
}

bool json_flag(struct json_object *object, const char *key)
{
	struct json_object *value = json_member(object, key, json_type_boolean);

	return value && json_object_get_boolean(value);
}

void json_put(struct json_object *object, const char *key, struct json_object *value, bool *good)
{
	if (object && value && json_object_object_add(object, key, value) == 0)
		return;
	json_object_put(value);
	*good = false;
}
