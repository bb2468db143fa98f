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
#define PATIENCE_USEC (180 * UINT64_C(1000000)) /* longer than the host lets an agent take for its answer */

static bool is_hers(const struct desktop *desktop)
{
	const struct report_guest *guest = &desktop->guest;

	return desktop->session.id != 0 && guest->uid == desktop->session.uid && guest->session != GUEST_SESSION_NONE &&
	       guest->session != GUEST_SESSION_ENDED;
}

/* Her session has come up since the guest started; that is known also while nobody can ask the agent. */
static bool has_come(const struct desktop *desktop)
{
	return desktop->session.boot != 0 && desktop->session.boot == desktop->boot;
}

static bool is_up(const struct desktop *desktop)
{
	return is_hers(desktop) && desktop->guest.session != GUEST_SESSION_STARTING;
}

bool guest_is_there(const struct desktop *desktop)
{
	return desktop->state == DESKTOP_READY && (is_hers(desktop) || (has_come(desktop) && !desktop->guest.answers));
}

bool guest_is_open(const struct desktop *desktop)
{
	return !desktop->guest.signs_in || is_up(desktop) || (has_come(desktop) && guest_is_there(desktop));
}

const char *guest_refusal(const struct desktop *desktop)
{
	return desktop->sign_in.refusal;
}

bool guest_has_left(const struct desktop *desktop)
{
	const struct report_guest *guest = &desktop->guest;

	return desktop->state == DESKTOP_READY && guest->answers && has_come(desktop) &&
	       (guest->session == GUEST_SESSION_NONE || guest->session == GUEST_SESSION_ENDED);
}

static void stop_waiting(struct sign_in *sign_in)
{
	sign_in->patience = sd_event_source_disable_unref(sign_in->patience);
	sign_in->begun = false;
}

static void forget_sign_in(struct desktop *desktop)
{
	struct sign_in *sign_in = &desktop->sign_in;

	if (sign_in->asking)
		host_client_forget(desktop->broker->host, sign_in);
	sign_in->asking = false;
	sign_in->timer = sd_event_source_disable_unref(sign_in->timer);
	sign_in->refusal[0] = '\0';
	stop_waiting(sign_in);
}

void guest_forget(struct desktop *desktop)
{
	forget_sign_in(desktop);
	if (desktop->sign_in.farewell[0])
		host_client_forget(desktop->broker->host, desktop);
	desktop->sign_in.farewell[0] = '\0';
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
	return r == -ENOTCONN || r == -ECONNRESET || r == -EBUSY || r == -EAGAIN;
}

static void refuse(struct desktop *desktop, const char *reason)
{
	stop_waiting(&desktop->sign_in);
	snprintf(desktop->sign_in.refusal, sizeof(desktop->sign_in.refusal), "%s", reason);
	broker_event(desktop->broker, "sign-in-failed", desktop->session.user, desktop->row.id, desktop->row.pool,
		     "the desktop did not sign %s in: %s", desktop->session.user, reason);
	lifecycle_show(desktop);
}

static int waited_long(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct desktop *desktop = userdata;

	(void)source;
	(void)usec;
	refuse(desktop, desktop->guest.answers ? "Your session did not come up in time."
					       : "The agent in your desktop does not answer.");
	return 0;
}

static void pause_sign_in(struct desktop *desktop)
{
	broker_timer(desktop->broker, &desktop->sign_in.timer, RETRY_USEC, try_again, desktop);
}

static void unlock_answered(struct desktop *desktop, int r, const struct error *err)
{
	if (is_passing(r)) {
		pause_sign_in(desktop);
	} else if (r < 0) {
		log_warning("the screen of desktop %s cannot be unlocked: %s", desktop->row.id, err->text);
		desktop->sign_in.unlock = false;
	}
}

static void answered(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct sign_in *sign_in = userdata;
	struct desktop *desktop = sign_in->desktop;

	(void)json;
	closep(&fd);
	sign_in->asking = false;
	if (sign_in->unlocking)
		unlock_answered(desktop, r, err);
	else if (r < 0 && !is_passing(r))
		refuse(desktop, err->text);
	else
		pause_sign_in(desktop);
	sign_in->begun |= r >= 0 && !sign_in->unlocking;
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

static bool is_to_be_unlocked(struct desktop *desktop)
{
	if (desktop->guest.session == GUEST_SESSION_ACTIVE)
		desktop->sign_in.unlock = false;
	return desktop->sign_in.unlock && desktop->guest.session == GUEST_SESSION_LOCKED && desktop->guest.locks &&
	       is_hers(desktop);
}

/* Nobody is there yet: she is signed in, unless that has failed already. */
static int bring_in(struct desktop *desktop)
{
	struct sign_in *state = &desktop->sign_in;
	enum guest_session session = desktop->guest.session;

	if (state->refusal[0])
		return 0;
	if (!state->patience)
		broker_timer(desktop->broker, &state->patience, PATIENCE_USEC, waited_long, desktop);
	if (is_hers(desktop)) {
		state->begun = true;
		return 0;
	}
	if (session == GUEST_SESSION_ENDED && state->begun) {
		refuse(desktop, desktop->guest.reason[0] ? desktop->guest.reason
							 : "Your session ended as soon as it had begun.");
		return 0;
	}
	if (session == GUEST_SESSION_NONE || session == GUEST_SESSION_ENDED)
		return sign_in(desktop);
	refuse(desktop, "Somebody else is signed in to it.");
	return 0;
}

static bool is_for_nobody(const struct desktop *desktop)
{
	return desktop->state != DESKTOP_READY || desktop->session.id == 0 || !desktop->guest.signs_in;
}

/* Noted in the store: a broker that is restarted later knows what it means when she is not there. */
static void note_session(struct desktop *desktop)
{
	struct sign_in *sign_in = &desktop->sign_in;

	if (desktop->boot != 0 && !has_come(desktop))
		desktop_set_session_boot(desktop, desktop->boot);
	if (sign_in->begun)
		sign_in->timer = sd_event_source_disable_unref(sign_in->timer);
	stop_waiting(sign_in);
	sign_in->refusal[0] = '\0';
}

void guest_update(struct desktop *desktop)
{
	struct sign_in *state = &desktop->sign_in;
	int r = 0;

	if (is_for_nobody(desktop)) {
		forget_sign_in(desktop);
		return;
	}
	if (is_up(desktop))
		note_session(desktop);
	if (desktop->n_viewers == 0)
		stop_waiting(state);
	if (state->asking || state->timer || desktop->n_viewers == 0 || desktop_is_leaving(desktop))
		return;
	state->desktop = desktop;
	state->unlocking = is_to_be_unlocked(desktop);
	if (state->unlocking)
		r = ask(desktop, "unlock", NULL);
	else if (!guest_is_open(desktop))
		r = bring_in(desktop);
	if (r < 0)
		pause_sign_in(desktop);
}

void guest_login(struct desktop *desktop)
{
	desktop->sign_in.refusal[0] = '\0';
	desktop->sign_in.unlock = true;
	guest_update(desktop);
}

/* Whether it went well or not. */
static void log_off_answered(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct desktop *desktop = userdata;

	(void)json;
	closep(&fd);
	if (r < 0)
		log_warning("desktop %s did not log its user off: %s", desktop->row.id, err->text);
	desktop->sign_in.logged_off(desktop);
}

int guest_log_off(struct desktop *desktop, void (*done)(struct desktop *desktop))
{
	if (desktop->sign_in.farewell[0])
		return 0;
	if (!desktop->guest.logs_off || !guest_is_there(desktop))
		return -ENOENT;
	desktop->sign_in.logged_off = done;
	return host_client_agent_call(desktop->broker->host, desktop->row.id, "log-off", NULL, log_off_answered,
				      desktop);
}
