/* SPDX-License-Identifier: GPL-3.0-or-later */
/* json-c with caps: nothing deeper, longer or of another type than asked for gets in. */
#ifndef HOST_JSON_H
#define HOST_JSON_H

#include "common/cleanup.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* NULL unless text is one whole value of this type, nested at most 16 deep. The caller's. */
struct json_object *json_read(const char *text, size_t size, enum json_type type);

/* Members: NULL, def or false where the key is missing or of another type. Strings and objects are borrowed. */
const char *json_text(struct json_object *object, const char *key);
int64_t json_number(struct json_object *object, const char *key, int64_t def);
bool json_flag(struct json_object *object, const char *key);
struct json_object *json_member(struct json_object *object, const char *key, enum json_type type);

/* The value is taken over; a NULL object or value (out of memory) makes *good false. */
void json_put(struct json_object *object, const char *key, struct json_object *value, bool *good);

static inline void json_putp(struct json_object **object)
{
	json_object_put(*object);
}

#define _cleanup_json_ _cleanup_(json_putp)

#endif
