/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/config.h"

#include "broker/admin_json.h"
#include "common/cleanup.h"

#include <errno.h>
#include <stdio.h>

static struct json_object *key_value(const struct conf *conf, const struct conf_key *key)
{
	switch (key->type) {
	case CONF_NUMBER:
	case CONF_SECONDS:
	case CONF_SIZE:
		return json_object_new_int64(conf_number(conf, key->id));
	case CONF_BOOL:
		return json_object_new_boolean(conf_bool(conf, key->id));
	default:
		return json_object_new_string(conf_string(conf, key->id));
	}
}

static struct json_object *config_json(const struct conf *conf)
{
	struct json_object *object = json_object_new_object();

	for (int id = 0; object && id < CONF_COUNT; id++) {
		const struct conf_key *key = &conf_table[id];
		struct json_object *section = NULL;

		if (!json_object_object_get_ex(object, key->section, &section)) {
			section = json_object_new_object();
			if (!section)
				break;
			json_add(object, key->section, section);
		}
		json_add(section, key->name, key_value(conf, key));
	}
	return object;
}

int config_print(const struct conf *conf, int json)
{
	_cleanup_(json_putp) struct json_object *object = json ? config_json(conf) : NULL;
	_cleanup_free_ char *text = json ? NULL : conf_dump(conf);

	if (!object && !text)
		return -ENOMEM;
	printf("%s%s", object ? json_object_to_json_string_ext(object, JSON_C_TO_STRING_NOSLASHESCAPE) : text,
	       object ? "\n" : "");
	return 0;
}
