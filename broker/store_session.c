/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions, and the small tables: events, uids, the generation. */
#include "broker/store_internal.h"

#include <errno.h>
#include <string.h>

#define SESSION_COLUMNS "SELECT id, desktop, user, uid, started, state, gid, full_name, boot FROM session"

static enum session_state state_from_text(const char *text)
{
	for (int state = SESSION_ACTIVE; state < SESSION_ENDED; state++)
		if (strcmp(text, session_state_text((enum session_state)state)) == 0)
			return (enum session_state)state;
	return SESSION_ENDED;
}

static void read_session(sqlite3_stmt *statement, void *row)
{
	struct session_row *session = row;
	char state[STORE_NAME_SIZE];

	session->id = sqlite3_column_int64(statement, 0);
	column_text(statement, 1, session->desktop, sizeof(session->desktop));
	column_text(statement, 2, session->user, sizeof(session->user));
	session->uid = (uint32_t)sqlite3_column_int64(statement, 3);
	session->started = sqlite3_column_int64(statement, 4);
	column_text(statement, 5, state, sizeof(state));
	session->state = state_from_text(state);
	session->gid = (uint32_t)sqlite3_column_int64(statement, 6);
	column_text(statement, 7, session->full_name, sizeof(session->full_name));
	session->boot = (uint32_t)sqlite3_column_int64(statement, 8);
}

int store_sessions(struct store *store, struct session_row **ret, size_t *ret_n)
{
	return store_select(store, SESSION_COLUMNS " WHERE state <> 'ended' ORDER BY id", NO_VALUES, sizeof(**ret),
			    read_session, (void **)ret, ret_n);
}

int store_session_get(struct store *store, int64_t id, struct session_row *ret)
{
	return store_select_one(store, SESSION_COLUMNS " WHERE id = ?1", VALUES(NUMBER(id)), sizeof(*ret), read_session,
				ret);
}

int store_session_find(struct store *store, const char *desktop, struct session_row *ret)
{
	return store_select_one(store, SESSION_COLUMNS " WHERE desktop = ?1 AND state <> 'ended'",
				VALUES(TEXT(desktop)), sizeof(*ret), read_session, ret);
}

int store_session_insert(struct store *store, struct session_row *row)
{
	int r;

	if (!user_is_valid(row->user))
		return -EINVAL;
	r = store_run(store,
		      "DELETE FROM session WHERE desktop = ?1 AND state = 'ended'"
		      " AND id NOT IN (SELECT session FROM viewer)",
		      VALUES(TEXT(row->desktop)), NULL);
	if (r == 0)
		r = store_run(store,
			      "INSERT INTO session (desktop, user, uid, started, state, gid, full_name)"
			      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
			      VALUES(TEXT(row->desktop), TEXT(row->user), NUMBER(row->uid), NUMBER(row->started),
				     TEXT(session_state_text(row->state)), NUMBER(row->gid), TEXT(row->full_name)),
			      NULL);
	if (r == 0)
		row->id = sqlite3_last_insert_rowid(store->db);
	return r;
}

int store_session_set_state(struct store *store, int64_t id, enum session_state state)
{
	return store_run_one(store, "UPDATE session SET state = ?2 WHERE id = ?1",
			     VALUES(NUMBER(id), TEXT(session_state_text(state))));
}

int store_session_set_boot(struct store *store, int64_t id, uint32_t boot)
{
	return store_run_one(store, "UPDATE session SET boot = ?2 WHERE id = ?1", VALUES(NUMBER(id), NUMBER(boot)));
}

static void read_event(sqlite3_stmt *statement, void *row)
{
	struct event_row *event = row;

	event->id = sqlite3_column_int64(statement, 0);
	event->time = sqlite3_column_int64(statement, 1);
	column_text(statement, 2, event->kind, sizeof(event->kind));
	column_text(statement, 3, event->user, sizeof(event->user));
	column_text(statement, 4, event->desktop, sizeof(event->desktop));
	column_text(statement, 5, event->pool, sizeof(event->pool));
	column_text(statement, 6, event->text, sizeof(event->text));
}

int store_events(struct store *store, size_t limit, struct event_row **ret, size_t *ret_n)
{
	return store_select(
	    store,
	    "SELECT id, time, kind, user, desktop, pool, text FROM event UNION ALL"
	    " SELECT id, time, 'login-refused', user, '', pool, 'login from ' || address || ' refused' ||"
	    " iif(count > 1, ' ' || count || ' times', '') || ': ' || reason FROM refusal"
	    " UNION ALL SELECT id, time, 'clipboard', user, desktop, pool, direction ||"
	    " iif(count > 1, ' ' || count || ' times', '') || ' ' || bytes || ' bytes' FROM copied"
	    " ORDER BY time DESC, id DESC LIMIT ?1",
	    VALUES(NUMBER((int64_t)limit)), sizeof(**ret), read_event, (void **)ret, ret_n);
}

static int insert_event(struct store *store, const struct event_row *event)
{
	int r = store_run(store,
			  "INSERT INTO event (time, kind, user, desktop, pool, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
			  VALUES(NUMBER(event->time), TEXT(event->kind), TEXT(event->user), TEXT(event->desktop),
				 TEXT(event->pool), TEXT(event->text)),
			  NULL);

	if (r < 0)
		return r;
	return store_run(store, "DELETE FROM event WHERE id <= ?1",
			 VALUES(NUMBER(sqlite3_last_insert_rowid(store->db) - STORE_EVENTS_MAX)), NULL);
}

int store_refusal_add(struct store *store, const struct refusal_row *refusal)
{
	int r =
	    store_run(store,
		      "INSERT INTO refusal (minute, user, address, pool, reason, count, time)"
		      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (minute, user, address, pool, reason)"
		      " DO UPDATE SET count = count + excluded.count, time = excluded.time",
		      VALUES(NUMBER(refusal->time / 60), TEXT(refusal->user), TEXT(refusal->address),
			     TEXT(refusal->pool), TEXT(refusal->reason), NUMBER(refusal->count), NUMBER(refusal->time)),
		      NULL);

	if (r < 0)
		return r;
	return store_run(store, "DELETE FROM refusal WHERE id <= (SELECT max(id) FROM refusal) - ?1",
			 VALUES(NUMBER(STORE_REFUSALS_MAX)), NULL);
}

int store_copy_add(struct store *store, const struct copy_row *copy)
{
	int r = store_run(
	    store,
	    "INSERT INTO copied (minute, user, desktop, pool, direction, count, bytes, time)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (minute, user, desktop, pool, direction)"
	    " DO UPDATE SET count = count + excluded.count, bytes = bytes + excluded.bytes,"
	    " time = excluded.time",
	    VALUES(NUMBER(copy->time / 60), TEXT(copy->user), TEXT(copy->desktop), TEXT(copy->pool),
		   TEXT(copy->out ? "out" : "in"), NUMBER(copy->count), NUMBER(copy->bytes), NUMBER(copy->time)),
	    NULL);

	if (r < 0)
		return r;
	return store_run(store, "DELETE FROM copied WHERE id <= (SELECT max(id) FROM copied) - ?1",
			 VALUES(NUMBER(STORE_COPIES_MAX)), NULL);
}

int store_event_add(struct store *store, const struct event_row *event)
{
	bool alone = !store->in_transaction;
	int r = alone ? store_begin(store) : 0;

	if (r == 0)
		r = insert_event(store, event);
	if (r == 0 && alone)
		return store_commit(store);
	if (r < 0 && alone)
		store_rollback(store);
	return r;
}

/* The lowest number of the range that is given to nobody: the first, or the one behind a given one. */
static int free_uid(struct store *store, uint32_t first, uint32_t count, int64_t *ret)
{
	int64_t uid = 0;
	int r = store_select_number(store,
				    "SELECT coalesce(min(uid), 0) FROM (SELECT ?1 AS uid UNION ALL"
				    " SELECT uid + 1 FROM user_uid WHERE uid >= ?1)"
				    " WHERE uid NOT IN (SELECT uid FROM user_uid)",
				    VALUES(NUMBER(first)), &uid);

	if (r < 0)
		return r;
	if (uid < first || uid >= (int64_t)first + count)
		return -ENOSPC;
	*ret = uid;
	return 0;
}

int store_user_uid(struct store *store, const char *name, uint32_t first, uint32_t count, uint32_t *ret)
{
	int64_t uid = 0;
	int r;

	if (!user_is_valid(name))
		return -EINVAL;
	r = store_select_number(store, "SELECT uid FROM user_uid WHERE name = ?1", VALUES(TEXT(name)), &uid);
	if (r == -ENOENT) {
		r = free_uid(store, first, count, &uid);
		if (r == 0)
			r = store_run(store, "INSERT INTO user_uid VALUES (?1, ?2)", VALUES(TEXT(name), NUMBER(uid)),
				      NULL);
	}
	if (r == 0)
		*ret = (uint32_t)uid;
	return r;
}

int store_generation(struct store *store, uint64_t *ret)
{
	int64_t value = 0;
	int r = store_select_number(store, "SELECT value FROM generation", NO_VALUES, &value);

	if (r == 0)
		*ret = (uint64_t)value;
	return r;
}

int store_generation_next(struct store *store, uint64_t *ret)
{
	int r = store_run_one(store, "UPDATE generation SET value = value + 1", NO_VALUES);

	return r < 0 ? r : store_generation(store, ret);
}

int store_generation_raise(struct store *store, uint64_t least)
{
	if (least > INT64_MAX)
		return -EINVAL;
	return store_run_one(store, "UPDATE generation SET value = max(value, ?1)", VALUES(NUMBER((int64_t)least)));
}
