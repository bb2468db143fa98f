/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/agent_request.h"

#include "host/json.h"

#include <errno.h>
#include <string.h>

#define NAME_MAX_BYTES 255
#define GROUP_MAX_BYTES 32
#define LABEL_MAX_BYTES 63
#define MACHINE_ID_BYTES 32

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static int wrong(const char *key, struct error *err)
{
	return error_set(err, -EINVAL, "\"%s\" is missing or not valid", key);
}

/* No control characters; `least` bytes or more. NULL: not so. Borrowed. */
static const char *plain_text(struct json_object *from, const char *key, size_t least)
{
	struct json_object *value = json_member(from, key, json_type_string);
	const char *text = value ? json_object_get_string(value) : "";
	size_t size = strlen(text);

	if (!value || size != (size_t)json_object_get_string_len(value) || size < least || size > NAME_MAX_BYTES)
		return NULL;
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return NULL;
	return text;
}

static int copy_text(struct json_object *from, struct json_object *to, const char *key, size_t least, struct error *err)
{
	const char *text = plain_text(from, key, least);
	bool good = true;

	if (!text)
		return wrong(key, err);
	json_put(to, key, json_object_new_string(text), &good);
	return good ? 0 : -ENOMEM;
}

static int copy_number(struct json_object *from, struct json_object *to, const char *key, int64_t max,
		       struct error *err)
{
	int64_t number = json_number(from, key, 0);
	bool good = true;

	if (number < 1 || number > max)
		return wrong(key, err);
	json_put(to, key, json_object_new_int64(number), &good);
	return good ? 0 : -ENOMEM;
}

static bool is_group(struct json_object *value)
{
	const char *name = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
	size_t size = strlen(name);

	return size > 0 && size <= GROUP_MAX_BYTES && name[0] != '-' && strspn(name, LOWER DIGITS "_-") == size &&
	       (size_t)json_object_get_string_len(value) == size;
}

static int copy_groups(struct json_object *from, struct json_object *to, struct error *err)
{
	struct json_object *groups = json_member(from, "groups", json_type_array);
	bool good = true;

	if (!groups || json_object_array_length(groups) > AGENT_GROUPS_MAX)
		return wrong("groups", err);
	for (size_t i = 0; i < json_object_array_length(groups); i++)
		if (!is_group(json_object_array_get_idx(groups, i)))
			return wrong("groups", err);
	json_put(to, "groups", json_object_get(groups), &good);
	return good ? 0 : -ENOMEM;
}

static int sign_in_fields(struct json_object *from, struct json_object *to, struct error *err)
{
	int r = copy_text(from, to, "name", 1, err);

	if (r == 0)
		r = copy_number(from, to, "uid", UINT32_MAX - 1, err);
	if (r == 0)
		r = copy_number(from, to, "gid", UINT32_MAX - 1, err);
	if (r == 0)
		r = copy_text(from, to, "full_name", 0, err);
	return r < 0 ? r : copy_groups(from, to, err);
}

static int time_fields(struct json_object *from, struct json_object *to, struct error *err)
{
	return copy_number(from, to, "time", INT64_MAX / 2, err);
}

/* RFC 1123, in lower case. */
static int hostname_fields(struct json_object *from, struct json_object *to, struct error *err)
{
	const char *name = plain_text(from, "hostname", 1);
	size_t size = name ? strlen(name) : 0;

	if (size == 0 || size > LABEL_MAX_BYTES || strspn(name, LOWER DIGITS "-") != size || name[0] == '-' ||
	    name[size - 1] == '-')
		return wrong("hostname", err);
	return copy_text(from, to, "hostname", 1, err);
}

static int machine_id_fields(struct json_object *from, struct json_object *to, struct error *err)
{
	const char *id = plain_text(from, "machine_id", MACHINE_ID_BYTES);

	if (!id || strlen(id) != MACHINE_ID_BYTES || strspn(id, DIGITS "abcdef") != MACHINE_ID_BYTES)
		return wrong("machine_id", err);
	return copy_text(from, to, "machine_id", 1, err);
}

static const struct agent_request requests[] = {
    {"sign-in", "sign-in", 90, sign_in_fields},
    {"log-off", "log-off", 20, NULL},
    {"lock", "lock", 20, NULL},
    {"unlock", "lock", 20, NULL},
    {"reboot", "power", 20, NULL},
    {"power-off", "power", 20, NULL},
    {"set-time", "time", 20, time_fields},
    {"set-hostname", "hostname", 20, hostname_fields},
    {"set-machine-id", "machine-id", 20, machine_id_fields},
};

const struct agent_request *agent_request_find(const char *name)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (strcmp(requests[i].name, name) == 0)
			return &requests[i];
	return NULL;
}

int agent_request_line(const struct agent_request *request, uint32_t id, struct json_object *fields, char **ret,
		       struct error *err)
{
	_cleanup_json_ struct json_object *object = json_object_new_object();
	const char *text = NULL;
	bool good = true;
	int r = 0;

	json_put(object, "type", json_object_new_string(request->name), &good);
	json_put(object, "id", json_object_new_int64(id), &good);
	if (good && request->fields)
		r = request->fields(fields, object, err);
	if (r == -EINVAL)
		return r;
	if (good && r == 0)
		text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	if (!text || asprintf(ret, "%s\n", text) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	return 0;
}
