/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/auth_client.h"

#include "common/bus.h"
#include "common/cleanup.h"

#include <errno.h>
#include <string.h>

#define AWAY_TEXT "The login service is being restarted: try again in a few seconds."
#define REACH_USEC (2 * UINT64_C(1000000))
#define WAITING_MAX 256

/* Waits with its message until auth has said Hello (sd-bus would block on the fd before), then for the answer. */
struct auth_call {
	struct auth_client *client;
	sd_bus_message *message; /* NULL: sent */
	sd_bus_slot *slot;
	sd_event_source *away; /* answers from the loop that auth is not there; off once sent */
	uint64_t timeout_usec;
	auth_done_fn done;
	void *userdata;
	struct auth_call *next;
};

struct auth_client {
	sd_event *event;
	char *path;
	sd_bus *bus; /* NULL: not connected */
	sd_bus_slot *disconnect;
	bool agreed; /* auth has said Hello */
	struct auth_call *calls;
};

void identity_clear(struct identity *identity)
{
	free(identity->name);
	free(identity->full_name);
	for (char **group = identity->groups; group && *group; group++)
		free(*group);
	free(identity->groups);
	*identity = (struct identity){0};
}

static void auth_call_free(struct auth_call *call)
{
	struct auth_call **at = &call->client->calls;

	while (*at && *at != call)
		at = &(*at)->next;
	if (*at)
		*at = call->next;
	sd_bus_slot_unref(call->slot);
	sd_bus_message_unref(call->message);
	sd_event_source_disable_unref(call->away);
	free(call);
}

/* Frees the call first: `done` may free the client. */
static void auth_call_finish(struct auth_call *call, enum auth_result result, const struct identity *identity,
			     const char *text)
{
	auth_done_fn done = call->done;
	void *userdata = call->userdata;

	auth_call_free(call);
	done(result, identity, text, userdata);
}

static int auth_call_away(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	auth_call_finish(userdata, AUTH_BUSY, NULL, AWAY_TEXT);
	return 0;
}

/* Answered from the loop's next turn. */
static int auth_call_give_up(struct auth_call *call)
{
	int r = sd_event_source_set_time(call->away, 0);

	call->slot = sd_bus_slot_unref(call->slot);
	call->message = sd_bus_message_unref(call->message);
	return r < 0 ? r : sd_event_source_set_enabled(call->away, SD_EVENT_ONESHOT);
}

static void auth_client_disconnect(struct auth_client *client)
{
	client->agreed = false;
	client->disconnect = sd_bus_slot_unref(client->disconnect);
	client->bus = sd_bus_close_unref(client->bus);
	for (struct auth_call *call = client->calls; call; call = call->next)
		auth_call_give_up(call);
}

static int auth_client_gone(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	(void)message;
	(void)ret_error;
	auth_client_disconnect(userdata);
	return 0;
}

static int read_groups(sd_bus_message *reply, struct identity *identity)
{
	const char *group;
	size_t n = 0;
	int r;

	identity->groups = calloc(IDENTITY_GROUPS_MAX + 1, sizeof(char *));
	if (!identity->groups)
		return -ENOMEM;
	r = sd_bus_message_enter_container(reply, 'a', "s");
	while (r >= 0 && (r = sd_bus_message_read(reply, "s", &group)) > 0) {
		if (n == IDENTITY_GROUPS_MAX)
			return -E2BIG;
		identity->groups[n] = strdup(group);
		if (!identity->groups[n++])
			return -ENOMEM;
	}
	return r < 0 ? r : sd_bus_message_exit_container(reply);
}

static int read_identity(sd_bus_message *reply, uint32_t *ret_result, const char **ret_text, struct identity *identity)
{
	const char *name, *full_name;
	int r = sd_bus_message_read(reply, "ussuu", ret_result, ret_text, &name, &identity->uid, &identity->gid);

	if (r >= 0)
		r = read_groups(reply, identity);
	if (r >= 0)
		r = sd_bus_message_read(reply, "s", &full_name);
	if (r < 0)
		return r;
	identity->name = strdup(name);
	identity->full_name = strdup(full_name);
	return identity->name && identity->full_name && *ret_result <= AUTH_FAILED ? 0 : -EBADMSG;
}

static int auth_call_answered(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	_cleanup_(identity_clear) struct identity identity = {0};
	const char *text = AWAY_TEXT;
	uint32_t result = AUTH_BUSY;

	(void)ret_error;
	sd_bus_message_ref(reply);
	if (sd_bus_message_is_method_error(reply, NULL) || read_identity(reply, &result, &text, &identity) < 0) {
		result = AUTH_BUSY;
		text = AWAY_TEXT;
	}
	auth_call_finish(userdata, result, result == AUTH_OK ? &identity : NULL, text);
	sd_bus_message_unref(reply);
	return 0;
}

static int auth_call_send(struct auth_call *call)
{
	int r = sd_bus_call_async(call->client->bus, &call->slot, call->message, auth_call_answered, call,
				  call->timeout_usec);

	if (r < 0)
		return r;
	call->message = sd_bus_message_unref(call->message);
	return sd_event_source_set_enabled(call->away, SD_EVENT_OFF);
}

static void auth_client_hello(int r, const struct error *err, void *userdata)
{
	struct auth_client *client = userdata;

	(void)err;
	if (r < 0) {
		auth_client_disconnect(client);
		return;
	}
	client->agreed = true;
	for (struct auth_call *call = client->calls; call; call = call->next)
		if (call->message && auth_call_send(call) < 0)
			auth_call_give_up(call);
}

static int auth_client_reach(struct auth_client *client)
{
	int r;

	if (client->bus && sd_bus_is_open(client->bus) > 0)
		return 0;
	auth_client_disconnect(client);
	r = bus_connect(client->event, client->path, &client->bus);
	if (r >= 0)
		r = bus_on_disconnect(client->bus, auth_client_gone, client, &client->disconnect);
	if (r >= 0)
		r = bus_hello(client->bus, AUTH_API_PATH, AUTH_API_INTERFACE, AUTH_API_VERSION, auth_client_hello,
			      client);
	if (r < 0)
		auth_client_disconnect(client);
	return r;
}

int auth_client_new(sd_event *event, const char *socket_path, struct auth_client **ret)
{
	struct auth_client *client = calloc(1, sizeof(*client));

	if (!client || !(client->path = strdup(socket_path))) {
		free(client);
		return -ENOMEM;
	}
	client->event = sd_event_ref(event);
	*ret = client;
	return 0;
}

void auth_client_free(struct auth_client *client)
{
	if (!client)
		return;
	while (client->calls)
		auth_call_free(client->calls);
	auth_client_disconnect(client);
	sd_event_unref(client->event);
	free(client->path);
	free(client);
}

static size_t auth_client_waiting(const struct auth_client *client)
{
	size_t n = 0;

	for (const struct auth_call *call = client->calls; call; call = call->next)
		n += call->message != NULL;
	return n;
}

static int auth_call_begin(struct auth_call *call, const char *name, int password_fd, const char *peer)
{
	struct auth_client *client = call->client;
	int r = auth_client_reach(client);

	if (r >= 0 && auth_client_waiting(client) >= WAITING_MAX)
		r = -EBUSY;
	if (r >= 0)
		r = sd_bus_message_new_method_call(client->bus, &call->message, NULL, AUTH_API_PATH, AUTH_API_INTERFACE,
						   "Authenticate");
	if (r >= 0)
		r = sd_bus_message_append(call->message, "shs", name, password_fd, peer);
	if (r >= 0 && client->agreed)
		r = auth_call_send(call);
	return r;
}

int auth_client_authenticate(struct auth_client *client, const char *name, int password_fd, const char *peer,
			     uint64_t timeout_usec, auth_done_fn done, void *userdata)
{
	struct auth_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return -ENOMEM;
	call->client = client;
	call->timeout_usec = timeout_usec;
	call->done = done;
	call->userdata = userdata;
	r = sd_event_add_time_relative(client->event, &call->away, CLOCK_MONOTONIC, REACH_USEC, 0, auth_call_away,
				       call);
	if (r >= 0 && auth_call_begin(call, name, password_fd, peer) < 0)
		r = auth_call_give_up(call);
	if (r < 0) {
		auth_call_free(call);
		return r;
	}
	call->next = client->calls;
	client->calls = call;
	return 0;
}

void auth_client_cancel(struct auth_client *client, void *userdata)
{
	for (struct auth_call *call = client->calls, *next; call; call = next) {
		next = call->next;
		if (call->userdata == userdata)
			auth_call_free(call);
	}
}
