/* SPDX-License-Identifier: GPL-3.0-or-later */
/* desktop ... and session ... */
#include "broker/admin_call.h"
#include "broker/admin_json.h"

#include <errno.h>
#include <string.h>

static const struct session_row *session_of(const struct session_row *sessions, size_t n, const char *desktop)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(sessions[i].desktop, desktop) == 0)
			return &sessions[i];
	return NULL;
}

/* The words between commas. */
static struct json_object *words(const char *text)
{
	struct json_object *list = json_object_new_array();

	for (const char *at = text; list && *at; at += strcspn(at, ","), at += *at == ',')
		json_append(list, json_object_new_string_len(at, (int)strcspn(at, ",")));
	return list;
}

static void add_view(struct broker *broker, struct json_object *object, const struct desktop_row *row)
{
	struct desktop_view view = {.state = "unknown"};

	(void)broker_desktop_view(broker, row->id, &view);
	json_add_text(object, "state", view.state);
	json_add_number(object, "progress", view.progress);
	json_add_text(object, "reason", view.reason[0] ? view.reason : row->reason);
	json_add_text(object, "warning", view.warning);
	json_add_text(object, "agent", view.guest.agent);
	json_add_text(object, "os", view.guest.os);
	json_add(object, "capabilities", words(view.guest.capabilities));
	json_add(object, "missing", words(view.guest.missing));
	json_add_number(object, "viewers", view.viewers);
	json_add_number(object, "boot", view.boot);
}

/* sessions: all that are open. */
static struct json_object *desktop_json(struct broker *broker, const struct desktop_row *row,
					const struct session_row *sessions, size_t n_sessions)
{
	const struct session_row *session = session_of(sessions, n_sessions, row->id);
	struct json_object *object = json_object_new_object();

	if (!object)
		return NULL;
	json_add_text(object, "id", row->id);
	json_add_text(object, "pool", row->pool);
	json_add_text(object, "owner", row->owner);
	json_add_text(object, "image", row->image);
	json_add_number(object, "image_version", row->image_version);
	add_view(broker, object, row);
	json_add_text(object, "wanted", desktop_wanted_text(row->wanted));
	json_add_number(object, "failures", row->failures);
	json_add(object, "session", session ? json_object_new_int64(session->id) : NULL);
	json_add_number(object, "width", row->width);
	json_add_number(object, "height", row->height);
	json_add_number(object, "slot", row->slot);
	json_add_time(object, "created", row->created);
	return object;
}

static bool is_wanted(const struct admin_call *call, const struct desktop_row *row)
{
	const char *user = admin_argument(call, "user");

	return !user || strcmp(user, row->owner) == 0;
}

static int check_pool(struct admin_call *call, const char *name, struct error *err)
{
	struct pool pool;
	int r = name ? store_pool_get(broker_store(call->broker), name, &pool) : 0;

	if (r == -ENOENT)
		return error_set(err, r, "there is no pool %s; `hotdesk pool list` shows those that are there", name);
	return r < 0 ? admin_store_error(call, r, err) : 0;
}

int admin_desktop_list(struct admin_call *call, struct error *err)
{
	_cleanup_free_ struct desktop_row *rows = NULL;
	_cleanup_free_ struct session_row *sessions = NULL;
	struct store *store = broker_store(call->broker);
	const char *pool = admin_argument(call, "pool");
	size_t n = 0, n_sessions = 0;
	struct json_object *list;
	int r = check_pool(call, pool, err);

	if (r < 0)
		return r;
	r = store_desktops(store, pool, &rows, &n);
	if (r == 0)
		r = store_sessions(store, &sessions, &n_sessions);
	if (r < 0)
		return admin_store_error(call, r, err);
	list = json_object_new_array();
	for (size_t i = 0; list && i < n; i++)
		if (is_wanted(call, &rows[i]))
			json_append(list, desktop_json(call->broker, &rows[i], sessions, n_sessions));
	admin_reply(call, list);
	return 0;
}

static int get_desktop(struct admin_call *call, struct desktop_row *ret, struct error *err)
{
	const char *id = admin_argument(call, "id");
	int r = store_desktop_get(broker_store(call->broker), id, ret);

	if (r == -ENOENT)
		return error_set(err, r, "there is no desktop %s; `hotdesk desktop list` shows those that are there",
				 id);
	return r < 0 ? admin_store_error(call, r, err) : 0;
}

int admin_desktop_show(struct admin_call *call, struct error *err)
{
	_cleanup_free_ struct session_row *sessions = NULL;
	struct desktop_row row;
	size_t n = 0;
	int r = get_desktop(call, &row, err);

	if (r < 0)
		return r;
	r = store_sessions(broker_store(call->broker), &sessions, &n);
	if (r < 0)
		return admin_store_error(call, r, err);
	admin_reply(call, desktop_json(call->broker, &row, sessions, n));
	return 0;
}

static void stop_done(int r, const struct error *err, void *userdata)
{
	struct admin_call *call = userdata;
	const char *id = admin_argument(call, "id");
	struct desktop_row row;

	if (r < 0) {
		admin_fail(call, err);
		return;
	}
	if (store_desktop_get(broker_store(call->broker), id, &row) == 0)
		admin_reply_text(call, "desktop %s is stopped; it starts again at its user's next login", id);
	else
		admin_reply_text(call, "desktop %s is stopped and removed", id);
}

int admin_desktop_stop(struct admin_call *call, struct error *err)
{
	bool force = admin_given(call->arguments, "force");
	struct desktop_row row;
	int r = get_desktop(call, &row, err);

	if (r == 0)
		r = broker_desktop_stop(call->broker, row.id, force, stop_done, call, err);
	if (r == 0)
		admin_note(call, row.pool, row.id, "%s desktop %s", force ? "switched off" : "stopped", row.id);
	return r;
}

static void delete_done(int r, const struct error *err, void *userdata)
{
	struct admin_call *call = userdata;

	if (r < 0)
		admin_fail(call, err);
	else
		admin_reply_text(call, "desktop %s is deleted", admin_argument(call, "id"));
}

int admin_desktop_delete(struct admin_call *call, struct error *err)
{
	struct desktop_row row;
	int r = get_desktop(call, &row, err);

	if (r == 0)
		r = broker_desktop_delete(call->broker, row.id, delete_done, call, err);
	if (r == 0)
		admin_note(call, row.pool, row.id, "deleted desktop %s", row.id);
	return r;
}

static struct json_object *viewers_json(const struct viewer_row *viewers, size_t n, int64_t session)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; list && i < n; i++) {
		struct json_object *object;

		if (viewers[i].session != session || !(object = json_object_new_object()))
			continue;
		json_add_text(object, "peer", viewers[i].peer);
		json_add_time(object, "since", viewers[i].since);
		json_append(list, object);
	}
	return list;
}

static struct json_object *session_json(struct store *store, const struct session_row *session,
					const struct viewer_row *viewers, size_t n_viewers)
{
	struct json_object *object = json_object_new_object();
	struct desktop_row desktop = {.pool = ""};

	if (!object)
		return NULL;
	(void)store_desktop_get(store, session->desktop, &desktop);
	json_add_number(object, "id", session->id);
	json_add_text(object, "user", session->user);
	json_add_text(object, "pool", desktop.pool);
	json_add_text(object, "desktop", session->desktop);
	json_add_text(object, "state", session_state_text(session->state));
	json_add(object, "viewers", viewers_json(viewers, n_viewers, session->id));
	json_add_number(object, "uid", session->uid);
	json_add_time(object, "started", session->started);
	return object;
}

int admin_session_list(struct admin_call *call, struct error *err)
{
	_cleanup_free_ struct session_row *sessions = NULL;
	_cleanup_free_ struct viewer_row *viewers = NULL;
	struct store *store = broker_store(call->broker);
	size_t n = 0, n_viewers = 0;
	struct json_object *list;
	int r = store_sessions(store, &sessions, &n);

	if (r == 0)
		r = store_viewers(store, &viewers, &n_viewers);
	if (r < 0)
		return admin_store_error(call, r, err);
	list = json_object_new_array();
	for (size_t i = 0; list && i < n; i++)
		json_append(list, session_json(store, &sessions[i], viewers, n_viewers));
	admin_reply(call, list);
	return 0;
}

static void kill_done(int r, const struct error *err, void *userdata)
{
	struct admin_call *call = userdata;

	if (r < 0)
		admin_fail(call, err);
	else
		admin_reply_text(call, "session %s has ended", admin_argument(call, "id"));
}

int admin_session_kill(struct admin_call *call, struct error *err)
{
	const char *text = admin_argument(call, "id");
	int64_t id = strtoll(text, NULL, 10);
	struct session_row session;
	int r = store_session_get(broker_store(call->broker), id, &session);

	if (r == -ENOENT || (r == 0 && session.state == SESSION_ENDED))
		return error_set(err, -ENOENT,
				 "there is no open session %s; `hotdesk session list` shows those that are open", text);
	if (r < 0)
		return admin_store_error(call, r, err);
	r = broker_session_kill(call->broker, id, "", kill_done, call, err);
	if (r == 0)
		admin_note(call, "", session.desktop, "ended session %s of %s", text, session.user);
	return r;
}
