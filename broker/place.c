/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/place.h"

#include "broker/lifecycle.h"
#include "broker/spares.h"
#include "broker/sync.h"
#include "common/cleanup.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* What the transaction writes; memory follows when it is done. */
struct writing {
	struct desktop *desktop; /* NULL: a new one */
	struct desktop_row row;
	struct session_row session;
	struct viewer_row viewer;
};

static int store_failed(struct broker *broker, int r, struct error *err)
{
	log_error("a login cannot be written to the store: %s (%s)", strerror(-r), store_message(broker->store));
	return error_set(err, r,
			 r == -ENOSPC ? "The disk of the broker is full, or no place is left. Ask your administrator."
				      : "Your login could not be recorded. Please try again, or ask your "
					"administrator.");
}

static int find_uid(struct broker *broker, const struct identity *identity, uint32_t *ret)
{
	if (identity->uid == AUTH_UID_UNKNOWN)
		return store_user_uid(broker->store, identity->name,
				      (uint32_t)conf_number(broker->conf, CONF_USER_UID_FIRST),
				      (uint32_t)conf_number(broker->conf, CONF_USER_UID_COUNT), ret);
	*ret = identity->uid;
	return 0;
}

/* A person who asks gets tries anew, a failed desktop one. What is being made anew goes on so. */
static void take_desktop(struct writing *writing, const char *user)
{
	struct desktop_row *row = &writing->row;

	*row = writing->desktop->row;
	snprintf(row->owner, sizeof(row->owner), "%s", user);
	if (writing->desktop->remake)
		return;
	row->wanted = WANTED_RUNNING;
	row->failures = desktop_is_failed(writing->desktop) ? DESKTOP_FAILURES_MAX - 1 : 0;
	row->reason[0] = '\0';
}

static int write_desktop(struct broker *broker, struct writing *writing)
{
	if (!writing->desktop)
		return store_desktop_insert(broker->store, &writing->row, broker->slots);
	return store_desktop_update(broker->store, &writing->row);
}

static int write_session(struct broker *broker, struct writing *writing, const struct identity *identity, uint32_t uid)
{
	struct session_row *session = &writing->session;

	if (writing->desktop && writing->desktop->session.id != 0) {
		*session = writing->desktop->session;
		session->state = SESSION_ACTIVE;
		return store_session_set_state(broker->store, session->id, SESSION_ACTIVE);
	}
	*session = (struct session_row){.uid = uid, .started = time(NULL), .state = SESSION_ACTIVE};
	session->gid = identity->uid == AUTH_UID_UNKNOWN ? uid : identity->gid;
	snprintf(session->full_name, sizeof(session->full_name), "%s", identity->full_name);
	memcpy(session->desktop, writing->row.id, sizeof(session->desktop));
	snprintf(session->user, sizeof(session->user), "%s", identity->name);
	return store_session_insert(broker->store, session);
}

static int write_viewer(struct broker *broker, struct writing *writing, const char *peer)
{
	struct viewer_row *viewer = &writing->viewer;

	*viewer = (struct viewer_row){.session = writing->session.id, .since = time(NULL)};
	memcpy(viewer->desktop, writing->row.id, sizeof(viewer->desktop));
	snprintf(viewer->peer, sizeof(viewer->peer), "%s", peer);
	return store_viewer_insert(broker->store, viewer, broker->slots);
}

static int write_all(struct broker *broker, struct writing *writing, const struct identity *identity, const char *peer)
{
	uint32_t uid = 0;
	int r = store_begin(broker->store);

	if (r >= 0)
		r = find_uid(broker, identity, &uid);
	if (r >= 0)
		r = write_desktop(broker, writing);
	if (r >= 0)
		r = write_session(broker, writing, identity, uid);
	if (r >= 0)
		r = write_viewer(broker, writing, peer);
	if (r >= 0) {
		broker_event(broker, "login", identity->name, writing->row.id, writing->row.pool, "login from %s%s",
			     peer, writing->desktop ? "" : ", a new desktop is made");
		r = store_commit(broker->store);
	}
	if (r < 0)
		store_rollback(broker->store);
	return r;
}

static int apply(struct broker *broker, struct writing *writing)
{
	struct desktop *desktop = writing->desktop;
	bool changed = !desktop || desktop->row.wanted != writing->row.wanted || desktop_is_failed(desktop);

	if (!desktop)
		writing->desktop = desktop = desktop_add(broker->desktops, &writing->row);
	if (!desktop)
		return -ENOMEM;
	desktop->row = writing->row;
	desktop->session = writing->session;
	if (changed)
		sync_push(broker);
	spares_soon(broker);
	return 0;
}

/* Her failed floating desktop makes room. */
static int remove_replaced(struct broker *broker, const struct assign_desktop *replaced)
{
	struct desktop *desktop = replaced ? desktop_find(broker->desktops, replaced->row->id) : NULL;

	if (!desktop)
		return 0;
	return lifecycle_end(desktop, true, "Replaced", "This desktop failed and is replaced by a new one.");
}

static int decide(struct broker *broker, const struct identity *identity, const char *pool, struct place *place,
		  struct writing *writing, struct error *err)
{
	_cleanup_free_ struct pool *pools = NULL;
	_cleanup_free_ struct entitlement *entitlements = NULL;
	_cleanup_free_ struct assign_desktop *desktops = NULL;
	struct assign_request request = {
	    .user = identity->name,
	    .groups = (const char *const *)identity->groups,
	    .pool = pool[0] ? pool : NULL,
	};
	struct assign_decision decision;
	int r = store_pools(broker->store, &pools, &request.n_pools);

	if (r >= 0)
		r = store_entitlements(broker->store, NULL, &entitlements, &request.n_entitlements);
	if (r >= 0)
		r = desktops_for_assign(broker->desktops, &desktops, &request.n_desktops);
	if (r < 0)
		return store_failed(broker, r, err);
	request.pools = pools;
	request.entitlements = entitlements;
	request.desktops = desktops;
	assign_decide(&request, &decision);
	if (decision.kind == ASSIGN_REFUSED)
		return error_set(err, -EACCES, "%s", decision.reason);
	memcpy(place->keyboard, decision.pool->keyboard, sizeof(place->keyboard));
	if (decision.desktop) {
		writing->desktop = desktop_find(broker->desktops, decision.desktop->row->id);
		take_desktop(writing, identity->name);
	} else {
		desktop_row_make(decision.pool, identity->name, &writing->row);
	}
	r = remove_replaced(broker, decision.replaced);
	return r < 0 ? store_failed(broker, r, err) : 0;
}

int place_login(struct broker *broker, const struct identity *identity, const char *pool, const char *peer,
		struct place *ret, struct error *err)
{
	struct writing writing = {0};
	struct place place = {0};
	int r;

	if (!user_is_valid(identity->name))
		return error_set(err, -EINVAL, "Your account's name cannot be used here. Ask your administrator.");
	r = decide(broker, identity, pool, &place, &writing, err);
	if (r < 0)
		return r;
	r = write_all(broker, &writing, identity, peer);
	if (r >= 0)
		r = apply(broker, &writing);
	if (r < 0)
		return store_failed(broker, r, err);
	place.desktop = writing.desktop;
	place.viewer = writing.viewer;
	*ret = place;
	return 0;
}
