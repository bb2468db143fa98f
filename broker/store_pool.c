/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/store_internal.h"

#include <errno.h>
#include <string.h>

#define POOL_COLUMNS                                                                                                   \
	"SELECT name, image, kind, memory_mib, vcpus, max, min_spare, keyboard, created, guest_groups,"                \
	" clipboard, clipboard_primary, sound FROM pool"

static void read_pool(sqlite3_stmt *statement, void *row)
{
	struct pool *pool = row;
	char kind[STORE_NAME_SIZE], clipboard[STORE_NAME_SIZE];

	column_text(statement, 0, pool->name, sizeof(pool->name));
	column_text(statement, 1, pool->image, sizeof(pool->image));
	column_text(statement, 2, kind, sizeof(kind));
	(void)pool_kind_from_text(kind, &pool->kind);
	pool->memory_mib = (uint32_t)sqlite3_column_int64(statement, 3);
	pool->vcpus = (uint32_t)sqlite3_column_int64(statement, 4);
	pool->max = (uint32_t)sqlite3_column_int64(statement, 5);
	pool->min_spare = (uint32_t)sqlite3_column_int64(statement, 6);
	column_text(statement, 7, pool->keyboard, sizeof(pool->keyboard));
	pool->created = sqlite3_column_int64(statement, 8);
	column_text(statement, 9, pool->guest_groups, sizeof(pool->guest_groups));
	column_text(statement, 10, clipboard, sizeof(clipboard));
	(void)pool_clipboard_from_text(clipboard, &pool->clipboard);
	pool->clipboard_primary = sqlite3_column_int64(statement, 11) != 0;
	pool->sound = sqlite3_column_int64(statement, 12) != 0;
}

int store_pools(struct store *store, struct pool **ret, size_t *ret_n)
{
	return store_select(store, POOL_COLUMNS " ORDER BY name", NO_VALUES, sizeof(**ret), read_pool, (void **)ret,
			    ret_n);
}

int store_pool_get(struct store *store, const char *name, struct pool *ret)
{
	return store_select_one(store, POOL_COLUMNS " WHERE name = ?1", VALUES(TEXT(name)), sizeof(*ret), read_pool,
				ret);
}

static bool pool_is_valid(const struct pool *pool)
{
	return name_is_valid(pool->name) && name_is_valid(pool->image);
}

int store_pool_insert(struct store *store, const struct pool *pool)
{
	if (!pool_is_valid(pool))
		return -EINVAL;
	return store_run(store, "INSERT INTO pool VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
			 VALUES(TEXT(pool->name), TEXT(pool->image), TEXT(pool_kind_text(pool->kind)),
				NUMBER(pool->memory_mib), NUMBER(pool->vcpus), NUMBER(pool->max),
				NUMBER(pool->min_spare), TEXT(pool->keyboard), NUMBER(pool->created),
				TEXT(pool->guest_groups), TEXT(pool_clipboard_text(pool->clipboard)),
				NUMBER(pool->clipboard_primary), NUMBER(pool->sound)),
			 NULL);
}

int store_pool_update(struct store *store, const struct pool *pool)
{
	if (!pool_is_valid(pool))
		return -EINVAL;
	return store_run_one(store,
			     "UPDATE pool SET image = ?2, kind = ?3, memory_mib = ?4, vcpus = ?5, max = ?6,"
			     " min_spare = ?7, keyboard = ?8, guest_groups = ?9, clipboard = ?10,"
			     " clipboard_primary = ?11, sound = ?12 WHERE name = ?1",
			     VALUES(TEXT(pool->name), TEXT(pool->image), TEXT(pool_kind_text(pool->kind)),
				    NUMBER(pool->memory_mib), NUMBER(pool->vcpus), NUMBER(pool->max),
				    NUMBER(pool->min_spare), TEXT(pool->keyboard), TEXT(pool->guest_groups),
				    TEXT(pool_clipboard_text(pool->clipboard)), NUMBER(pool->clipboard_primary),
				    NUMBER(pool->sound)));
}

int store_pool_delete(struct store *store, const char *name)
{
	return store_run_one(store, "DELETE FROM pool WHERE name = ?1", VALUES(TEXT(name)));
}

static void read_entitlement(sqlite3_stmt *statement, void *row)
{
	struct entitlement *entitlement = row;
	char kind[STORE_NAME_SIZE];

	column_text(statement, 0, entitlement->pool, sizeof(entitlement->pool));
	column_text(statement, 1, kind, sizeof(kind));
	entitlement->kind = strcmp(kind, "group") == 0 ? ENTITLED_GROUP : ENTITLED_USER;
	column_text(statement, 2, entitlement->name, sizeof(entitlement->name));
}

int store_entitlements(struct store *store, const char *pool, struct entitlement **ret, size_t *ret_n)
{
	return store_select(store,
			    "SELECT pool, kind, name FROM entitlement WHERE ?1 = '' OR pool = ?1"
			    " ORDER BY pool, kind DESC, name",
			    VALUES(TEXT(pool ? pool : "")), sizeof(**ret), read_entitlement, (void **)ret, ret_n);
}

int store_entitlement_insert(struct store *store, const struct entitlement *entitlement)
{
	if (!user_is_valid(entitlement->name))
		return -EINVAL;
	return store_run(
	    store, "INSERT INTO entitlement VALUES (?1, ?2, ?3)",
	    VALUES(TEXT(entitlement->pool), TEXT(entitlement_kind_text(entitlement->kind)), TEXT(entitlement->name)),
	    NULL);
}

int store_entitlement_delete(struct store *store, const struct entitlement *entitlement)
{
	return store_run_one(
	    store, "DELETE FROM entitlement WHERE pool = ?1 AND kind = ?2 AND name = ?3",
	    VALUES(TEXT(entitlement->pool), TEXT(entitlement_kind_text(entitlement->kind)), TEXT(entitlement->name)));
}
