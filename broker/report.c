/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const STATES[] = {
    [DESKTOP_UNKNOWN] = "unknown",   [DESKTOP_ABSENT] = "absent",   [DESKTOP_CLONING] = "cloning",
    [DESKTOP_STARTING] = "starting", [DESKTOP_BOOTING] = "booting", [DESKTOP_READY] = "ready",
    [DESKTOP_STOPPING] = "stopping", [DESKTOP_STOPPED] = "stopped", [DESKTOP_FAILED] = "failed",
};

static const char *const CAUSES[] = {
    [CAUSE_NONE] = "",
    [CAUSE_ASKED] = "asked",
    [CAUSE_GUEST_SHUTDOWN] = "guest-shutdown",
    [CAUSE_CRASH] = "crash",
};

const char *desktop_state_text(enum desktop_state state)
{
	return STATES[state];
}

/* "" where the key is missing or not a string. Borrowed. */
static const char *text_of(struct json_object *json, const char *key)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(json, key, &value) || !json_object_is_type(value, json_type_string))
		return "";
	return json_object_get_string(value);
}

static uint32_t number_of(struct json_object *json, const char *key, uint32_t max)
{
	struct json_object *value = NULL;
	int64_t number;

	if (!json_object_object_get_ex(json, key, &value) || !json_object_is_type(value, json_type_int))
		return 0;
	number = json_object_get_int64(value);
	return number < 0 ? 0 : number > max ? max : (uint32_t)number;
}

static size_t word_of(const char *text, const char *const *words, size_t n_words)
{
	for (size_t i = 1; i < n_words; i++)
		if (strcmp(text, words[i]) == 0)
			return i;
	return 0;
}

static void read_agent(struct json_object *json, struct report *report)
{
	struct json_object *agent = NULL;

	if (json_object_object_get_ex(json, "agent", &agent) && json_object_is_type(agent, json_type_object))
		snprintf(report->agent, sizeof(report->agent), "%s", text_of(agent, "version"));
}

int report_parse(struct json_object *json, struct report *ret)
{
	struct report report = {0};
	const char *id;

	if (!json_object_is_type(json, json_type_object))
		return -EBADMSG;
	id = text_of(json, "id");
	report.state = word_of(text_of(json, "state"), STATES, sizeof(STATES) / sizeof(STATES[0]));
	if (!desktop_id_is_valid(id) || report.state == DESKTOP_UNKNOWN)
		return -EBADMSG;
	snprintf(report.id, sizeof(report.id), "%s", id);
	report.cause = word_of(text_of(json, "cause"), CAUSES, sizeof(CAUSES) / sizeof(CAUSES[0]));
	report.progress = number_of(json, "progress", 100);
	report.image_version = number_of(json, "image_version", UINT32_MAX);
	report.boot = number_of(json, "boot", UINT32_MAX);
	snprintf(report.reason, sizeof(report.reason), "%s", text_of(json, "reason"));
	snprintf(report.warning, sizeof(report.warning), "%s", text_of(json, "warning"));
	read_agent(json, &report);
	*ret = report;
	return 0;
}
