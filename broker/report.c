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

static const char *const SESSIONS[] = {
    [GUEST_SESSION_NONE] = "",         [GUEST_SESSION_STARTING] = "starting", [GUEST_SESSION_ACTIVE] = "active",
    [GUEST_SESSION_LOCKED] = "locked", [GUEST_SESSION_ENDED] = "ended",
};

/* An array's strings with commas between them. */
static void read_words(struct json_object *json, const char *key, char *ret, size_t size)
{
	struct json_object *array = NULL;
	size_t used = 0;

	if (!json_object_object_get_ex(json, key, &array) || !json_object_is_type(array, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *word = json_object_array_get_idx(array, i);
		int length =
		    json_object_is_type(word, json_type_string)
			? snprintf(ret + used, size - used, "%s%s", used ? "," : "", json_object_get_string(word))
			: 0;

		if (length < 0 || (size_t)length >= size - used) {
			ret[used] = '\0';
			return;
		}
		used += (size_t)length;
	}
}

static bool has_word(const char *words, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = words; *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == length && strncmp(at, word, length) == 0)
			return true;
	return false;
}

static void read_agent(struct json_object *json, struct report_guest *guest)
{
	struct json_object *agent = NULL;

	if (!json_object_object_get_ex(json, "agent", &agent) || !json_object_is_type(agent, json_type_object))
		return;
	snprintf(guest->agent, sizeof(guest->agent), "%s", text_of(agent, "version"));
	snprintf(guest->os, sizeof(guest->os), "%s", text_of(agent, "os"));
	read_words(agent, "capabilities", guest->capabilities, sizeof(guest->capabilities));
	read_words(agent, "missing", guest->missing, sizeof(guest->missing));
	guest->answers = true;
	guest->logs_off = has_word(guest->capabilities, "log-off");
	guest->locks = has_word(guest->capabilities, "lock");
}

static void read_session(struct json_object *json, struct report_guest *guest)
{
	struct json_object *session = NULL, *sign_in = NULL;

	guest->signs_in = json_object_object_get_ex(json, "sign_in", &sign_in) &&
			  json_object_is_type(sign_in, json_type_boolean) && json_object_get_boolean(sign_in);
	if (!json_object_object_get_ex(json, "session", &session) || !json_object_is_type(session, json_type_object))
		return;
	guest->session = word_of(text_of(session, "state"), SESSIONS, sizeof(SESSIONS) / sizeof(SESSIONS[0]));
	guest->uid = number_of(session, "uid", UINT32_MAX);
	snprintf(guest->reason, sizeof(guest->reason), "%s", text_of(session, "reason"));
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
	read_agent(json, &report.guest);
	read_session(json, &report.guest);
	*ret = report;
	return 0;
}
