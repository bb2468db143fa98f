/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/qmp_parse.h"

#include "host/json.h"

#include <errno.h>
#include <string.h>

static const char *const event_names[] = {
    [QMP_EVENT_SHUTDOWN] = "SHUTDOWN",   [QMP_EVENT_STOP] = "STOP",   [QMP_EVENT_RESUME] = "RESUME",
    [QMP_EVENT_POWERDOWN] = "POWERDOWN", [QMP_EVENT_RESET] = "RESET", [QMP_EVENT_BLOCK_IO_ERROR] = "BLOCK_IO_ERROR",
};

static enum qmp_event_type event_type(const char *name)
{
	for (size_t i = 1; i < sizeof(event_names) / sizeof(event_names[0]); i++)
		if (strcmp(event_names[i], name) == 0)
			return (enum qmp_event_type)i;
	return QMP_EVENT_OTHER;
}

static void parse_event(struct json_object *object, const char *name, struct qmp_event *event)
{
	struct json_object *data = json_member(object, "data", json_type_object);
	const char *action = json_text(data, "action");

	event->type = event_type(name);
	event->guest = json_flag(data, "guest");
	event->nospace = json_flag(data, "nospace");
	event->stopped = action && strcmp(action, "stop") == 0;
}

static int parse_error(struct json_object *error, struct error *err)
{
	const char *text = json_text(error, "desc");

	if (!text)
		return -EBADMSG;
	error_set(err, -EREMOTEIO, "QEMU: %s", text);
	return 0;
}

static int parse_object(struct json_object *object, struct qmp_message *message)
{
	struct json_object *member;
	const char *name = json_text(object, "event");

	message->id = json_number(object, "id", -1);
	if (name) {
		message->kind = QMP_EVENT;
		parse_event(object, name, &message->event);
		return 0;
	}
	if (json_object_object_get_ex(object, "return", &member)) {
		message->kind = QMP_RETURN;
		message->data = json_object_get(member);
		return 0;
	}
	if ((member = json_member(object, "error", json_type_object))) {
		message->kind = QMP_ERROR;
		return parse_error(member, &message->error);
	}
	message->kind = QMP_GREETING;
	return json_member(object, "QMP", json_type_object) ? 0 : -EBADMSG;
}

int qmp_parse(const char *line, size_t size, struct qmp_message *ret)
{
	_cleanup_json_ struct json_object *object = NULL;
	struct qmp_message message = {0};
	int r;

	if (size > QMP_LINE_MAX)
		return -EBADMSG;
	object = json_read(line, size, json_type_object);
	r = object ? parse_object(object, &message) : -EBADMSG;
	if (r < 0)
		qmp_message_clear(&message);
	else
		*ret = message;
	return r;
}

void qmp_message_clear(struct qmp_message *message)
{
	json_object_put(message->data);
	message->data = NULL;
}

int qmp_command(const char *name, struct json_object *arguments, int64_t id, char **ret)
{
	_cleanup_json_ struct json_object *object = json_object_new_object();
	bool good = true;
	const char *text;

	json_put(object, "execute", json_object_new_string(name), &good);
	json_put(object, "id", json_object_new_int64(id), &good);
	if (arguments)
		json_put(object, "arguments", json_object_get(arguments), &good);
	text = good ? json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN) : NULL;
	return text && asprintf(ret, "%s\n", text) >= 0 ? 0 : -ENOMEM;
}
