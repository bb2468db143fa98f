/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Building JSON objects; a member that cannot be allocated is left out. */
#ifndef BROKER_ADMIN_JSON_H
#define BROKER_ADMIN_JSON_H

#include "broker/store_rows.h"

#include <json-c/json.h>
#include <time.h>

static inline void json_putp(struct json_object **object)
{
	json_object_put(*object);
}

static inline void json_add(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_object_object_add(object, key, value) < 0)
		json_object_put(value);
}

static inline void json_add_text(struct json_object *object, const char *key, const char *text)
{
	json_add(object, key, json_object_new_string(text));
}

static inline void json_add_number(struct json_object *object, const char *key, int64_t number)
{
	json_add(object, key, json_object_new_int64(number));
}

static inline void json_add_bool(struct json_object *object, const char *key, bool value)
{
	json_add(object, key, json_object_new_boolean(value));
}

/* As ISO 8601 in UTC. */
static inline void json_add_time(struct json_object *object, const char *key, int64_t seconds)
{
	time_t when = (time_t)seconds;
	struct tm utc;
	char text[32] = "";

	if (gmtime_r(&when, &utc))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	json_add_text(object, key, text);
}

static inline void json_append(struct json_object *array, struct json_object *value)
{
	if (json_object_array_add(array, value) < 0)
		json_object_put(value);
}

#endif
