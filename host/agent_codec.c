/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/agent_codec.h"

#include "common/text.h"
#include "host/json.h"

#include <errno.h>
#include <string.h>

const char *const agent_capabilities[] = {"size", "sign-in",  "log-off",    "lock", "power",
					  "time", "hostname", "machine-id", NULL};

static const char *const session_states[] = {
    [AGENT_SESSION_NONE] = "none",     [AGENT_SESSION_STARTING] = "starting", [AGENT_SESSION_ACTIVE] = "active",
    [AGENT_SESSION_LOCKED] = "locked", [AGENT_SESSION_ENDED] = "ended",
};

const char *agent_session_text(enum agent_session_state state)
{
	return session_states[state];
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

static int take_session(struct json_object *object, struct agent_message *message)
{
	const char *state = json_text(object, "state");
	int64_t uid = json_number(object, "uid", -1);
	struct agent_session *session = &message->session;

	if (!state || uid < 0 || uid > UINT32_MAX)
		return -EBADMSG;
	for (int i = AGENT_SESSION_STARTING; i <= AGENT_SESSION_ENDED; i++)
		if (strcmp(state, session_states[i]) == 0)
			session->state = (enum agent_session_state)i;
	if (session->state == AGENT_SESSION_NONE)
		return -EBADMSG;
	session->uid = (uint32_t)uid;
	text_copy_printable(json_text(object, "user"), session->user, sizeof(session->user));
	text_copy_printable(json_text(object, "reason"), session->reason, sizeof(session->reason));
	return 0;
}

static int take_result(struct json_object *object, struct agent_message *message)
{
	int64_t id = json_number(object, "id", 0);

	if (id < 1 || id > INT32_MAX)
		return -EBADMSG;
	message->id = (uint32_t)id;
	message->ok = json_flag(object, "ok");
	if (!message->ok)
		text_copy_printable(json_text(object, "error"), message->error, sizeof(message->error));
	return 0;
}

static int take_leaving(struct json_object *object, struct agent_message *message)
{
	const char *how = json_text(object, "how");

	if (!how)
		return -EBADMSG;
	message->reboot = strcmp(how, "reboot") == 0;
	return 0;
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
	text_copy_printable(json_text(object, "os"), message->os, sizeof(message->os));
	take_capabilities(object, message);
	/* One that is not understood is as good as none. */
	(void)take_session(json_member(object, "session", json_type_object), message);
	return 0;
}

static const struct {
	const char *name;
	int (*take)(struct json_object *object, struct agent_message *message);
} types[] = {
    [AGENT_HELLO] = {"hello", take_hello},    [AGENT_READY] = {"ready", NULL},
    [AGENT_HEARTBEAT] = {"heartbeat", NULL},  [AGENT_SESSION] = {"session", take_session},
    [AGENT_RESULT] = {"result", take_result}, [AGENT_LEAVING] = {"leaving", take_leaving},
};

static enum agent_type type_of(const char *name)
{
	for (size_t i = AGENT_HELLO; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(name, types[i].name) == 0)
			return (enum agent_type)i;
	return AGENT_UNKNOWN;
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
	if (types[message.type].take)
		r = types[message.type].take(object, &message);
	if (r == 0)
		*ret = message;
	return r;
}

bool agent_has(const struct agent_message *hello, const char *capability)
{
	for (size_t i = 0; i < hello->n_capabilities; i++)
		if (strcmp(hello->capabilities[i], capability) == 0)
			return true;
	return false;
}

bool agent_session_same(const struct agent_session *a, const struct agent_session *b)
{
	return a->state == b->state && a->uid == b->uid && strcmp(a->user, b->user) == 0 &&
	       strcmp(a->reason, b->reason) == 0;
}

size_t agent_hello(const char *nonce, char *buffer, size_t size)
{
	int length =
	    snprintf(buffer, size, "\n{\"type\":\"hello\",\"version\":%d,\"nonce\":\"%s\"}\n", AGENT_VERSION, nonce);

	return length > 0 && (size_t)length < size ? (size_t)length : 0;
}
