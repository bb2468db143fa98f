/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hotdesk-host and hotdesk-auth behind their clients' functions. */
#include "auth/auth_client.h"
#include "tests/unit/broker_fakes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DESKTOPS_MAX 16
#define CALLS_MAX 64

struct fake_desktop {
	char id[HOST_DESKTOP_ID_MAX];
	char state[16], cause[16];
	unsigned boot;
	bool signs_in;    /* its agent does */
	bool silent;      /* it does not answer now */
	char session[16]; /* in the guest; "": none */
	const char *reason;
	uint32_t uid;
};

struct fake_call {
	host_done_fn done;
	struct json_object *json;
	void *userdata;
	int r, fd;
	const char *text;             /* of an error */
	struct fake_desktop *desktop; /* of a request to its agent, which follows it as it answers */
	char request[32];
};

struct host_client {
	const struct host_client_ops *ops;
	void *userdata;
	sd_event_source *defer;
};

struct fake_attempt {
	char name[64];
	auth_done_fn done;
	void *userdata;
};

static struct {
	struct host_client *client;
	bool away, greeted;
	const char *failure;
	bool agents;         /* of new desktops sign users in */
	const char *refusal; /* of sign-ins */
	bool passing;        /* they fail as if the agent were away */
	unsigned n_requests, n_vdagents, vdagent_refusals;
	char request[32]; /* the last one */
	char person[512]; /* of the last sign-in, as JSON */
	struct fake_desktop desktops[DESKTOPS_MAX];
	struct fake_call calls[CALLS_MAX];
	size_t n_calls;
	struct json_object *wanted;
	uint64_t generation;
	bool hold;
	struct fake_attempt attempts[8];
	size_t n_attempts;
} host;

static struct fake_desktop *find(const char *id)
{
	for (size_t i = 0; i < DESKTOPS_MAX; i++)
		if (strcmp(host.desktops[i].id, id) == 0)
			return &host.desktops[i];
	return NULL;
}

static void describe_guest(struct json_object *json, const struct fake_desktop *desktop)
{
	struct json_object *agent = json_object_new_object(), *words = json_object_new_array();
	struct json_object *session = desktop->session[0] ? json_object_new_object() : NULL;

	json_object_array_add(words, json_object_new_string("sign-in"));
	json_object_array_add(words, json_object_new_string("log-off"));
	json_object_array_add(words, json_object_new_string("lock"));
	json_object_object_add(agent, "version", json_object_new_string("1.0"));
	json_object_object_add(agent, "os", json_object_new_string("Test 1"));
	json_object_object_add(agent, "capabilities", words);
	json_object_object_add(json, "sign_in", json_object_new_boolean(true));
	json_object_object_add(json, "agent", agent);
	if (session) {
		json_object_object_add(session, "state", json_object_new_string(desktop->session));
		json_object_object_add(session, "uid", json_object_new_int64(desktop->uid));
		json_object_object_add(session, "reason", json_object_new_string(desktop->reason));
	}
	json_object_object_add(json, "session", session);
}

static struct json_object *describe(const struct fake_desktop *desktop)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "id", json_object_new_string(desktop->id));
	json_object_object_add(json, "state", json_object_new_string(desktop->state));
	json_object_object_add(json, "cause", json_object_new_string(desktop->cause));
	json_object_object_add(json, "boot", json_object_new_int((int)desktop->boot));
	json_object_object_add(json, "image_version", json_object_new_int(1));
	json_object_object_add(json, "reason", json_object_new_string(host.failure ? host.failure : ""));
	if (desktop->signs_in && !desktop->silent)
		describe_guest(json, desktop);
	else
		json_object_object_add(json, "sign_in", json_object_new_boolean(desktop->signs_in));
	return json;
}

static void tell(const struct fake_desktop *desktop)
{
	struct json_object *json;

	if (!host.client || host.away)
		return;
	json = describe(desktop);
	host.client->ops->changed(json, host.client->userdata);
	json_object_put(json);
}

static void become(struct fake_desktop *desktop, const char *state, const char *cause)
{
	if (strcmp(desktop->state, state) == 0)
		return;
	snprintf(desktop->state, sizeof(desktop->state), "%s", state);
	snprintf(desktop->cause, sizeof(desktop->cause), "%s", cause);
	tell(desktop);
}

static void reach(const char *id, const char *wanted)
{
	struct fake_desktop *desktop = find(id);

	if (strcmp(wanted, "absent") == 0) {
		if (!desktop)
			return;
		become(desktop, "absent", "");
		desktop->id[0] = '\0';
	} else if (strcmp(wanted, "stopped") == 0) {
		if (desktop)
			become(desktop, "stopped", "asked");
	} else if (!desktop || strcmp(desktop->state, "ready") != 0) {
		if (!desktop) {
			desktop = find("");
			*desktop = (struct fake_desktop){.reason = ""};
			snprintf(desktop->id, sizeof(desktop->id), "%s", id);
			desktop->signs_in = host.agents;
			become(desktop, "cloning", "");
		}
		desktop->boot++;
		desktop->session[0] = '\0';
		become(desktop, "starting", "");
		become(desktop, host.failure ? "failed" : "ready", "");
	}
}

static const char *text_of(struct json_object *json, const char *key)
{
	return json_object_get_string(json_object_object_get(json, key));
}

static void agent_does(struct fake_desktop *desktop, const char *request)
{
	struct json_object *person;

	if (strcmp(request, "unlock") == 0) {
		snprintf(desktop->session, sizeof(desktop->session), "active");
	} else if (strcmp(request, "log-off") == 0) {
		snprintf(desktop->session, sizeof(desktop->session), "ended");
	} else {
		person = json_tokener_parse(host.person);
		snprintf(desktop->session, sizeof(desktop->session), "starting");
		desktop->uid = (uint32_t)json_object_get_int64(json_object_object_get(person, "uid"));
		json_object_put(person);
	}
	tell(desktop);
}

static int turn(sd_event_source *source, void *userdata)
{
	struct json_object *wanted = host.wanted;
	struct fake_call call;
	struct error err = {0};

	(void)source;
	(void)userdata;
	if (!host.client || host.away)
		return 0;
	if (!host.greeted) {
		host.greeted = true;
		host.client->ops->connected(host.client->userdata);
	} else if (host.n_calls > 0) {
		call = host.calls[0];
		memmove(host.calls, host.calls + 1, --host.n_calls * sizeof(call));
		if (call.r < 0)
			error_set(&err, call.r, "%s", call.text ? call.text : "away");
		/* The broker may forget the answer in between, so it comes first. */
		call.done(call.r, call.json, call.fd, &err, call.userdata);
		if (call.desktop)
			agent_does(call.desktop, call.request);
		json_object_put(call.json);
	} else if (wanted) {
		host.wanted = NULL;
		for (size_t i = 0; i < json_object_array_length(wanted); i++) {
			struct json_object *one = json_object_array_get_idx(wanted, i);

			reach(text_of(one, "id"), text_of(one, "state"));
		}
		json_object_put(wanted);
	} else {
		sd_event_source_set_enabled(host.client->defer, SD_EVENT_OFF);
	}
	return 0;
}

static void wake(void)
{
	if (host.client && !host.away)
		sd_event_source_set_enabled(host.client->defer, SD_EVENT_ON);
}

static int answer(host_done_fn done, struct json_object *json, int fd, void *userdata)
{
	if (host.away || host.n_calls == CALLS_MAX) {
		json_object_put(json);
		return -ENOTCONN;
	}
	if (done)
		host.calls[host.n_calls++] =
		    (struct fake_call){.done = done, .json = json, .fd = fd, .userdata = userdata};
	wake();
	return 0;
}

int host_client_new(sd_event *event, const char *socket_path, const struct host_client_ops *ops, void *userdata,
		    struct host_client **ret)
{
	struct host_client *client = calloc(1, sizeof(*client));

	(void)socket_path;
	client->ops = ops;
	client->userdata = userdata;
	sd_event_add_defer(event, &client->defer, turn, NULL);
	host.client = client;
	host.greeted = false;
	wake();
	*ret = client;
	return 0;
}

static void drop_calls(void)
{
	for (size_t i = 0; i < host.n_calls; i++) {
		json_object_put(host.calls[i].json);
		if (host.calls[i].fd >= 0)
			close(host.calls[i].fd);
	}
	host.n_calls = 0;
}

void host_client_free(struct host_client *client)
{
	if (!client)
		return;
	drop_calls();
	sd_event_source_disable_unref(client->defer);
	free(client);
	host.client = NULL;
}

int host_client_list(struct host_client *client, host_done_fn done, void *userdata)
{
	struct json_object *json = json_object_new_object(), *list = json_object_new_array();

	(void)client;
	for (size_t i = 0; i < DESKTOPS_MAX; i++)
		if (host.desktops[i].id[0])
			json_object_array_add(list, describe(&host.desktops[i]));
	json_object_object_add(json, "generation", json_object_new_int64((int64_t)host.generation));
	json_object_object_add(json, "desktops", list);
	return answer(done, json, -1, userdata);
}

int host_client_set_desired(struct host_client *client, uint64_t generation, struct json_object *desired,
			    host_done_fn done, void *userdata)
{
	(void)client;
	host.generation = generation;
	json_object_put(host.wanted);
	host.wanted = json_object_get(desired);
	return answer(done, NULL, -1, userdata);
}

int host_client_open_display(struct host_client *client, const char *id, host_done_fn done, void *userdata)
{
	(void)client;
	(void)id;
	return answer(done, NULL, open("/dev/null", O_RDWR | O_CLOEXEC), userdata);
}

int host_client_open_vdagent(struct host_client *client, const char *id, host_done_fn done, void *userdata)
{
	bool refused = host.vdagent_refusals > 0;
	int r = answer(done, NULL, refused ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC), userdata);

	(void)client;
	(void)id;
	if (r < 0)
		return r;
	host.n_vdagents++;
	if (refused) {
		host.vdagent_refusals--;
		host.calls[host.n_calls - 1].r = -EAGAIN;
	}
	return 0;
}

unsigned fake_host_vdagents(void)
{
	return host.n_vdagents;
}

void fake_host_refuse_vdagents(unsigned n)
{
	host.vdagent_refusals = n;
}

int host_client_agent_call(struct host_client *client, const char *id, const char *request,
			   struct json_object *arguments, host_done_fn done, void *userdata)
{
	int r = answer(done, NULL, -1, userdata);
	struct fake_call *call = r < 0 ? NULL : &host.calls[host.n_calls - 1];

	(void)client;
	if (!call)
		return r;
	host.n_requests++;
	snprintf(host.request, sizeof(host.request), "%s", request);
	if (host.passing || find(id)->silent) {
		call->r = -ENOTCONN;
	} else if (host.refusal) {
		call->r = -EREMOTEIO;
		call->text = host.refusal;
	} else {
		if (arguments)
			snprintf(host.person, sizeof(host.person), "%s",
				 json_object_to_json_string_ext(arguments, JSON_C_TO_STRING_PLAIN));
		call->desktop = find(id);
		memcpy(call->request, host.request, sizeof(call->request));
	}
	return 0;
}

void fake_agents(bool there)
{
	host.agents = there;
}

void fake_agents_refuse(const char *reason, bool passing)
{
	host.refusal = reason;
	host.passing = passing;
}

unsigned fake_agent_requests(void)
{
	return host.n_requests;
}

const char *fake_agent_request(void)
{
	return host.request;
}

const char *fake_agent_person(void)
{
	return host.person;
}

void fake_guest_session(const char *id, const char *state)
{
	struct fake_desktop *desktop = find(id);

	snprintf(desktop->session, sizeof(desktop->session), "%s", state);
	tell(desktop);
}

void fake_guest_user(const char *id, uint32_t uid, const char *state, const char *reason)
{
	struct fake_desktop *desktop = find(id);

	desktop->uid = uid;
	desktop->reason = reason;
	fake_guest_session(id, state);
}

void fake_agent_silent(const char *id, bool silent)
{
	struct fake_desktop *desktop = find(id);

	desktop->silent = silent;
	tell(desktop);
}

void fake_guest_reboots(const char *id)
{
	struct fake_desktop *desktop = find(id);

	desktop->session[0] = '\0';
	desktop->boot++;
	become(desktop, "booting", "");
}

void fake_guest_is_up(const char *id)
{
	become(find(id), "ready", "");
}

int host_client_stop(struct host_client *client, const char *id, int force, host_done_fn done, void *userdata)
{
	(void)client;
	(void)id;
	(void)force;
	return answer(done, NULL, -1, userdata);
}

void host_client_forget(struct host_client *client, void *userdata)
{
	size_t n = 0;

	if (client != host.client)
		abort();
	for (size_t i = 0; i < host.n_calls; i++) {
		if (host.calls[i].userdata != userdata) {
			host.calls[n++] = host.calls[i];
			continue;
		}
		json_object_put(host.calls[i].json);
		if (host.calls[i].fd >= 0)
			close(host.calls[i].fd);
	}
	host.n_calls = n;
}

const char *fake_host_wants(const char *id)
{
	for (size_t i = 0; host.wanted && i < json_object_array_length(host.wanted); i++) {
		struct json_object *one = json_object_array_get_idx(host.wanted, i);

		if (strcmp(text_of(one, "id"), id) == 0)
			return text_of(one, "state");
	}
	return "";
}

const char *fake_host_state(const char *id)
{
	const struct fake_desktop *desktop = find(id);

	return desktop ? desktop->state : "";
}

void fake_host_fail(const char *reason)
{
	host.failure = reason;
}

void fake_host_stopped(const char *id, const char *cause)
{
	become(find(id), "stopped", cause);
}

size_t fake_host_desktops(void)
{
	size_t n = 0;

	for (size_t i = 0; i < DESKTOPS_MAX; i++)
		n += host.desktops[i].id[0] != '\0';
	return n;
}

void fake_host_leave(void)
{
	host.away = true;
	drop_calls();
	host.client->ops->disconnected(host.client->userdata);
}

void fake_host_return(void)
{
	host.away = false;
	host.greeted = false;
	wake();
}

void fake_host_reset(void)
{
	json_object_put(host.wanted);
	memset(&host, 0, sizeof(host));
}

int auth_client_new(sd_event *event, const char *socket_path, struct auth_client **ret)
{
	(void)event;
	(void)socket_path;
	*ret = NULL;
	return 0;
}

void auth_client_free(struct auth_client *client)
{
	(void)client;
}

/* Everybody's password is right but mallory's. */
static void answer_attempts(void)
{
	static char *groups[] = {"staff", NULL};

	while (!host.hold && host.n_attempts > 0) {
		struct fake_attempt attempt = host.attempts[--host.n_attempts];
		const struct identity identity = {
		    .name = attempt.name, .uid = AUTH_UID_UNKNOWN, .groups = groups, .full_name = ""};

		if (strcmp(attempt.name, "mallory") == 0)
			attempt.done(AUTH_DENIED, NULL, "Wrong user name or password.", attempt.userdata);
		else
			attempt.done(AUTH_OK, &identity, "", attempt.userdata);
	}
}

int auth_client_authenticate(struct auth_client *client, const char *name, int password_fd, const char *peer,
			     uint64_t timeout_usec, auth_done_fn done, void *userdata)
{
	struct fake_attempt *attempt = &host.attempts[host.n_attempts++];

	(void)client;
	(void)peer;
	(void)timeout_usec;
	if (fcntl(password_fd, F_GETFD) < 0)
		return -EBADF;
	*attempt = (struct fake_attempt){.done = done, .userdata = userdata};
	snprintf(attempt->name, sizeof(attempt->name), "%s", name);
	return 0;
}

void auth_client_cancel(struct auth_client *client, void *userdata)
{
	size_t n = 0;

	(void)client;
	for (size_t i = 0; i < host.n_attempts; i++)
		if (host.attempts[i].userdata != userdata)
			host.attempts[n++] = host.attempts[i];
	host.n_attempts = n;
}

void fake_auth_hold(bool hold)
{
	host.hold = hold;
	answer_attempts();
}

size_t fake_auth_attempts(void)
{
	return host.n_attempts;
}
