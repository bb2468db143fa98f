/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/guest.h"

#include "broker/lifecycle.h"
#include "broker/viewer.h"
#include "common/cleanup.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RETRY_USEC UINT64_C(1000000)

static bool is_hers(const struct desktop *desktop, const struct report_guest *guest)
{
	return guest->uid == desktop->session.uid && guest->session != GUEST_SESSION_NONE;
}

static bool is_signed_in(const struct desktop *desktop)
{
	return is_hers(desktop, &desktop->guest) &&
	       (desktop->guest.session == GUEST_SESSION_ACTIVE || desktop->guest.session == GUEST_SESSION_LOCKED);
}

bool guest_is_open(const struct desktop *desktop)
{
	return !desktop->guest.signs_in || is_signed_in(desktop);
}

const char *guest_refusal(const struct desktop *desktop)
{
	return desktop->sign_in.refusal;
}

bool guest_has_left(const struct desktop *desktop, const struct report *report)
{
	return desktop->session.id != 0 && report->state == DESKTOP_READY && is_hers(desktop, &desktop->guest) &&
	       report->guest.session == GUEST_SESSION_NONE;
}

void guest_forget(struct desktop *desktop)
{
	struct sign_in *sign_in = &desktop->sign_in;

	if (sign_in->asking)
		host_client_forget(desktop->broker->host, sign_in);
	sign_in->asking = false;
	sign_in->timer = sd_event_source_disable_unref(sign_in->timer);
	sign_in->refusal[0] = '\0';
}

static int try_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct desktop *desktop = userdata;

	(void)source;
	(void)usec;
	desktop->sign_in.timer = sd_event_source_disable_unref(desktop->sign_in.timer);
	guest_update(desktop);
	return 0;
}

/* Host or guest were away at that moment; whoever waits is told nothing new. */
static bool is_passing(int r)
{
	return r == -ENOTCONN || r == -EAGAIN;
}

static void refuse(struct desktop *desktop, const char *reason)
{
	snprintf(desktop->sign_in.refusal, sizeof(desktop->sign_in.refusal), "%s", reason);
	broker_event(desktop->broker, "sign-in-failed", desktop->session.user, desktop->row.id, desktop->row.pool,
		     "the desktop did not sign %s in: %s", desktop->session.user, reason);
	lifecycle_show(desktop);
}

static void answered(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct sign_in *sign_in = userdata;
	struct desktop *desktop = sign_in->desktop;

	(void)json;
	closep(&fd);
	sign_in->asking = false;
	if (r >= 0)
		return;
	if (is_passing(r) || sign_in->unlocking)
		broker_timer(desktop->broker, &sign_in->timer, RETRY_USEC, try_again, desktop);
	else
		refuse(desktop, err->text);
}

static int add(struct json_object *object, const char *key, struct json_object *value)
{
	if (value && json_object_object_add(object, key, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

static struct json_object *groups_of(const struct pool *pool)
{
	struct json_object *array = json_object_new_array();
	const char *at = pool->guest_groups;

	while (array && *at) {
		size_t length = strcspn(at, ",");

		json_object_array_add(array, json_object_new_string_len(at, (int)length));
		at += length + (at[length] == ',');
	}
	return array;
}

static int fill_person(struct json_object *object, const struct session_row *session, const struct pool *pool)
{
	uint32_t gid = session->gid != 0 ? session->gid : session->uid;

	if (add(object, "name", json_object_new_string(session->user)) < 0 ||
	    add(object, "uid", json_object_new_int64(session->uid)) < 0 ||
	    add(object, "gid", json_object_new_int64(gid)) < 0 ||
	    add(object, "full_name", json_object_new_string(session->full_name)) < 0)
		return -ENOMEM;
	return add(object, "groups", groups_of(pool));
}

static int ask(struct desktop *desktop, const char *request, struct json_object *arguments)
{
	int r = host_client_agent_call(desktop->broker->host, desktop->row.id, request, arguments, answered,
				       &desktop->sign_in);

	desktop->sign_in.asking = r >= 0;
	return r;
}

static int sign_in(struct desktop *desktop)
{
	struct json_object *arguments = json_object_new_object();
	struct pool pool;
	int r = arguments ? store_pool_get(desktop->broker->store, desktop->row.pool, &pool) : -ENOMEM;

	if (r >= 0)
		r = fill_person(arguments, &desktop->session, &pool);
	if (r >= 0)
		r = ask(desktop, "sign-in", arguments);
	json_object_put(arguments);
	return r;
}

static bool is_to_be_signed_in(const struct desktop *desktop)
{
	return desktop->guest.session == GUEST_SESSION_NONE && desktop->sign_in.refusal[0] == '\0';
}

static bool is_to_be_unlocked(struct desktop *desktop)
{
	if (desktop->guest.session == GUEST_SESSION_ACTIVE)
		desktop->sign_in.unlock = false;
	return desktop->sign_in.unlock && desktop->guest.session == GUEST_SESSION_LOCKED && desktop->guest.locks &&
	       is_hers(desktop, &desktop->guest);
}

void guest_update(struct desktop *desktop)
{
	struct sign_in *state = &desktop->sign_in;
	int r = 0;

	if (desktop->state != DESKTOP_READY || desktop->session.id == 0 || !desktop->guest.signs_in) {
		guest_forget(desktop);
		return;
	}
	if (state->asking || state->timer || desktop->n_viewers == 0 || desktop_is_leaving(desktop))
		return;
	state->desktop = desktop;
	state->unlocking = is_to_be_unlocked(desktop);
	if (state->unlocking)
		r = ask(desktop, "unlock", NULL);
	else if (is_to_be_signed_in(desktop))
		r = sign_in(desktop);
	else if (!is_hers(desktop, &desktop->guest) && state->refusal[0] == '\0')
		refuse(desktop, "Somebody else is signed in to it.");
	if (r < 0)
		broker_timer(desktop->broker, &state->timer, RETRY_USEC, try_again, desktop);
}

void guest_login(struct desktop *desktop)
{
	desktop->sign_in.refusal[0] = '\0';
	desktop->sign_in.unlock = true;
	guest_update(desktop);
}
