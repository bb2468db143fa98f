/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/store_internal.h"

#include <errno.h>
#include <string.h>

#define DESKTOP_COLUMNS                                                                                                \
	"SELECT id, slot, pool, owner, image, image_version, wanted, failures, reason, width, height, created,"        \
	" memory_mib, vcpus FROM desktop"

/* The lowest slot that no row has: 0, or the one behind a row whose neighbour is free. */
#define FREE_SLOT(table)                                                                                               \
	"SELECT min(slot) FROM (SELECT 0 AS slot UNION ALL SELECT slot + 1 FROM " table ")"                            \
	" WHERE slot NOT IN (SELECT slot FROM " table ")"

static enum desktop_wanted wanted_from_text(const char *text)
{
	for (int wanted = WANTED_RUNNING; wanted < WANTED_ABSENT; wanted++)
		if (strcmp(text, desktop_wanted_text((enum desktop_wanted)wanted)) == 0)
			return (enum desktop_wanted)wanted;
	return WANTED_ABSENT;
}

static void read_desktop(sqlite3_stmt *statement, void *row)
{
	struct desktop_row *desktop = row;
	char wanted[STORE_NAME_SIZE];

	column_text(statement, 0, desktop->id, sizeof(desktop->id));
	desktop->slot = (uint32_t)sqlite3_column_int64(statement, 1);
	column_text(statement, 2, desktop->pool, sizeof(desktop->pool));
	column_text(statement, 3, desktop->owner, sizeof(desktop->owner));
	column_text(statement, 4, desktop->image, sizeof(desktop->image));
	desktop->image_version = (uint32_t)sqlite3_column_int64(statement, 5);
	column_text(statement, 6, wanted, sizeof(wanted));
	desktop->wanted = wanted_from_text(wanted);
	desktop->failures = (uint32_t)sqlite3_column_int64(statement, 7);
	column_text(statement, 8, desktop->reason, sizeof(desktop->reason));
	desktop->width = (uint32_t)sqlite3_column_int64(statement, 9);
	desktop->height = (uint32_t)sqlite3_column_int64(statement, 10);
	desktop->created = sqlite3_column_int64(statement, 11);
	desktop->memory_mib = (uint32_t)sqlite3_column_int64(statement, 12);
	desktop->vcpus = (uint32_t)sqlite3_column_int64(statement, 13);
}

int store_desktops(struct store *store, const char *pool, struct desktop_row **ret, size_t *ret_n)
{
	return store_select(store, DESKTOP_COLUMNS " WHERE ?1 = '' OR pool = ?1 ORDER BY pool, created, id",
			    VALUES(TEXT(pool ? pool : "")), sizeof(**ret), read_desktop, (void **)ret, ret_n);
}

int store_desktop_get(struct store *store, const char *id, struct desktop_row *ret)
{
	return store_select_one(store, DESKTOP_COLUMNS " WHERE id = ?1", VALUES(TEXT(id)), sizeof(*ret), read_desktop,
				ret);
}

int store_desktop_find(struct store *store, const char *pool, const char *owner, struct desktop_row *ret)
{
	return store_select_one(
	    store, DESKTOP_COLUMNS " WHERE pool = ?1 AND owner = ?2 AND owner <> '' AND wanted <> 'absent'",
	    VALUES(TEXT(pool), TEXT(owner)), sizeof(*ret), read_desktop, ret);
}

static int free_slot(struct store *store, const char *sql, uint32_t limit, uint32_t *ret)
{
	int64_t slot = 0;
	int r = store_select_number(store, sql, NO_VALUES, &slot);

	if (r < 0)
		return r;
	if (slot >= limit)
		return -ENOSPC;
	*ret = (uint32_t)slot;
	return 0;
}

static bool desktop_is_valid(const struct desktop_row *row)
{
	return desktop_id_is_valid(row->id) && name_is_valid(row->image) &&
	       (row->owner[0] == '\0' || user_is_valid(row->owner));
}

int store_desktop_insert(struct store *store, struct desktop_row *row, uint32_t slot_limit)
{
	uint32_t slot = 0;
	int r;

	if (!desktop_is_valid(row))
		return -EINVAL;
	r = free_slot(store, FREE_SLOT("desktop"), slot_limit, &slot);
	if (r < 0)
		return r;
	r = store_run(store, "INSERT INTO desktop VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
		      VALUES(TEXT(row->id), NUMBER(slot), TEXT(row->pool), TEXT(row->owner), TEXT(row->image),
			     NUMBER(row->image_version), TEXT(desktop_wanted_text(row->wanted)), NUMBER(row->failures),
			     TEXT(row->reason), NUMBER(row->width), NUMBER(row->height), NUMBER(row->created),
			     NUMBER(row->memory_mib), NUMBER(row->vcpus)),
		      NULL);
	if (r == 0)
		row->slot = slot;
	return r;
}

int store_desktop_update(struct store *store, const struct desktop_row *row)
{
	if (!desktop_is_valid(row))
		return -EINVAL;
	return store_run_one(store,
			     "UPDATE desktop SET owner = ?2, image = ?3, image_version = ?4, wanted = ?5,"
			     " failures = ?6, reason = ?7, width = ?8, height = ?9 WHERE id = ?1",
			     VALUES(TEXT(row->id), TEXT(row->owner), TEXT(row->image), NUMBER(row->image_version),
				    TEXT(desktop_wanted_text(row->wanted)), NUMBER(row->failures), TEXT(row->reason),
				    NUMBER(row->width), NUMBER(row->height)));
}

int store_desktop_delete(struct store *store, const char *id)
{
	return store_run_one(store, "DELETE FROM desktop WHERE id = ?1", VALUES(TEXT(id)));
}

static void read_viewer(sqlite3_stmt *statement, void *row)
{
	struct viewer_row *viewer = row;

	viewer->slot = (uint32_t)sqlite3_column_int64(statement, 0);
	viewer->session = sqlite3_column_int64(statement, 1);
	column_text(statement, 2, viewer->desktop, sizeof(viewer->desktop));
	column_text(statement, 3, viewer->peer, sizeof(viewer->peer));
	viewer->since = sqlite3_column_int64(statement, 4);
}

int store_viewers(struct store *store, struct viewer_row **ret, size_t *ret_n)
{
	return store_select(store, "SELECT slot, session, desktop, peer, since FROM viewer ORDER BY slot", NO_VALUES,
			    sizeof(**ret), read_viewer, (void **)ret, ret_n);
}

int store_viewer_insert(struct store *store, struct viewer_row *row, uint32_t slot_limit)
{
	uint32_t slot = 0;
	int r = free_slot(store, FREE_SLOT("viewer"), slot_limit, &slot);

	if (r < 0)
		return r;
	r = store_run(
	    store, "INSERT INTO viewer VALUES (?1, ?2, ?3, ?4, ?5)",
	    VALUES(NUMBER(slot), NUMBER(row->session), TEXT(row->desktop), TEXT(row->peer), NUMBER(row->since)), NULL);
	if (r == 0)
		row->slot = slot;
	return r;
}

int store_viewer_delete(struct store *store, uint32_t slot)
{
	return store_run_one(store, "DELETE FROM viewer WHERE slot = ?1", VALUES(NUMBER(slot)));
}
