/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/words.h"

#include "common/cleanup.h"
#include "guest-agent/codec.h"
#include "guest-agent/json.h"

#include <stdio.h>
#include <string.h>

static const char *const state_names[] = {
    [SESSION_NONE] = "ended",    [SESSION_STARTING] = "starting", [SESSION_ACTIVE] = "active",
    [SESSION_LOCKED] = "locked", [SESSION_ENDED] = "ended",
};

/* Takes over the value also when it fails; an earlier failure (NULL) stays one. */
static void add(struct json_object **object, const char *key, struct json_object *value)
{
	if (*object && value && json_object_object_add(*object, key, value) == 0)
		return;
	json_object_put(value);
	json_object_put(*object);
	*object = NULL;
}

static void add_text(struct json_object **object, const char *key, const char *text)
{
	add(object, key, json_object_new_string(text));
}

static void add_number(struct json_object **object, const char *key, int64_t number)
{
	add(object, key, json_object_new_int64(number));
}

static struct json_object *of_type(const char *type)
{
	struct json_object *object = json_object_new_object();

	add_text(&object, "type", type);
	return object;
}

/* Takes the object over. */
static char *line_of(struct json_object *taken)
{
	_cleanup_(json_putp) struct json_object *object = taken;
	const char *text = object ? json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN) : NULL;
	char *line = NULL;

	return text && asprintf(&line, "%s\n", text) >= 0 ? line : NULL;
}

static struct json_object *session_object(const struct session_info *session)
{
	struct json_object *object = of_type("session");

	add_text(&object, "state", state_names[session->state]);
	add_text(&object, "user", session->user);
	add_number(&object, "uid", session->uid);
	if (session->reason && session->reason[0] != '\0')
		add_text(&object, "reason", session->reason);
	return object;
}

static struct json_object *array_of(const char *const *words)
{
	struct json_object *array = json_object_new_array();

	for (; array && *words; words++)
		json_object_array_add(array, json_object_new_string(*words));
	return array;
}

char *words_hello(const struct hello *hello)
{
	struct json_object *object = of_type("hello");

	add_number(&object, "version", AGENT_PROTOCOL_VERSION);
	add_text(&object, "agent", HOTDESK_VERSION);
	add_text(&object, "nonce", hello->nonce);
	add_text(&object, "os", hello->os);
	add(&object, "capabilities", array_of(hello->capabilities));
	add(&object, "ready", json_object_new_boolean(hello->ready));
	if (hello->session.state != SESSION_NONE)
		add(&object, "session", session_object(&hello->session));
	return line_of(object);
}

char *words_session(const struct session_info *session)
{
	return line_of(session_object(session));
}

char *words_result(uint32_t id, const char *error)
{
	struct json_object *object = of_type("result");

	add_number(&object, "id", id);
	add(&object, "ok", json_object_new_boolean(!error));
	if (error)
		add_text(&object, "error", error);
	return line_of(object);
}

char *words_leaving(const char *how)
{
	struct json_object *object = of_type("leaving");

	add_text(&object, "how", how);
	return line_of(object);
}

char *words_plain(const char *type)
{
	return line_of(of_type(type));
}

char *words_part(const char *type)
{
	struct json_object *object = of_type(type);

	add_number(&object, "version", AGENT_PROTOCOL_VERSION);
	return line_of(object);
}
