/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening, migrating, transactions, and the few ways in which the tables are asked. */
#include "broker/store_internal.h"

#include "broker/store_schema.h"

#include <errno.h>
#include <string.h>

#define STORE_BUSY_MS 2000 /* an old broker that is just ending holds the lock for a moment */

static int errno_of(int code)
{
	switch (code) {
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
		return -EEXIST;
	case SQLITE_CONSTRAINT_FOREIGNKEY:
	case SQLITE_CONSTRAINT_TRIGGER:
		return -EBUSY;
	}
	switch (code & 0xff) {
	case SQLITE_CONSTRAINT:
		return -EINVAL;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return -EACCES;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EAGAIN;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return -EUCLEAN;
	default:
		return -EIO;
	}
}

static int store_error(const struct store *store)
{
	return errno_of(sqlite3_extended_errcode(store->db));
}

static void finalizep(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}

static int prepare(struct store *store, const char *sql, const struct value *values, size_t n, sqlite3_stmt **ret)
{
	_cleanup_(finalizep) sqlite3_stmt *statement = NULL;
	int r = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);

	for (size_t i = 0; r == SQLITE_OK && i < n; i++) {
		int index = (int)i + 1;

		if (values[i].text)
			r = sqlite3_bind_text(statement, index, values[i].text, -1, SQLITE_TRANSIENT);
		else
			r = sqlite3_bind_int64(statement, index, values[i].number);
	}
	if (r != SQLITE_OK)
		return store_error(store);
	*ret = steal_ptr(statement);
	return 0;
}

int store_run(struct store *store, const char *sql, const struct value *values, size_t n, int *ret_changes)
{
	_cleanup_(finalizep) sqlite3_stmt *statement = NULL;
	int step;
	int r = prepare(store, sql, values, n, &statement);

	if (r < 0)
		return r;
	do
		step = sqlite3_step(statement);
	while (step == SQLITE_ROW);
	if (step != SQLITE_DONE)
		return store_error(store);
	if (ret_changes)
		*ret_changes = sqlite3_changes(store->db);
	return 0;
}

int store_run_one(struct store *store, const char *sql, const struct value *values, size_t n)
{
	int changes = 0;
	int r = store_run(store, sql, values, n, &changes);

	if (r < 0)
		return r;
	return changes ? 0 : -ENOENT;
}

static void *grow(void *rows, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 16;
	void *grown = reallocarray(rows, wanted, size);

	if (grown)
		*room = wanted;
	return grown;
}

int store_select(struct store *store, const char *sql, const struct value *values, size_t n, size_t size, row_fn read,
		 void **ret, size_t *ret_n)
{
	_cleanup_(finalizep) sqlite3_stmt *statement = NULL;
	_cleanup_free_ void *rows = NULL;
	size_t count = 0, room = 0;
	int step;
	int r = prepare(store, sql, values, n, &statement);

	if (r < 0)
		return r;
	while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
		if (count == room) {
			void *grown = grow(rows, &room, size);

			if (!grown)
				return -ENOMEM;
			rows = grown;
		}
		memset((char *)rows + count * size, 0, size);
		read(statement, (char *)rows + count++ * size);
	}
	if (step != SQLITE_DONE)
		return store_error(store);
	*ret = steal_ptr(rows);
	*ret_n = count;
	return 0;
}

int store_select_one(struct store *store, const char *sql, const struct value *values, size_t n, size_t size,
		     row_fn read, void *ret)
{
	_cleanup_(finalizep) sqlite3_stmt *statement = NULL;
	int step;
	int r = prepare(store, sql, values, n, &statement);

	if (r < 0)
		return r;
	step = sqlite3_step(statement);
	if (step == SQLITE_DONE)
		return -ENOENT;
	if (step != SQLITE_ROW)
		return store_error(store);
	memset(ret, 0, size);
	read(statement, ret);
	return 0;
}

static void read_number(sqlite3_stmt *statement, void *row)
{
	*(int64_t *)row = sqlite3_column_int64(statement, 0);
}

int store_select_number(struct store *store, const char *sql, const struct value *values, size_t n, int64_t *ret)
{
	return store_select_one(store, sql, values, n, sizeof(*ret), read_number, ret);
}

void column_text(sqlite3_stmt *statement, int column, char *buffer, size_t size)
{
	const unsigned char *text = sqlite3_column_text(statement, column);

	snprintf(buffer, size, "%s", text ? (const char *)text : "");
}

int store_begin(struct store *store)
{
	int r;

	if (store->in_transaction)
		return -EBUSY;
	r = store_run(store, "BEGIN IMMEDIATE", NO_VALUES, NULL);
	if (r == 0)
		store->in_transaction = true;
	return r;
}

int store_commit(struct store *store)
{
	int r;

	if (!store->in_transaction)
		return -EINVAL;
	r = store_run(store, "COMMIT", NO_VALUES, NULL);
	if (r < 0)
		store_rollback(store);
	store->in_transaction = false;
	return r;
}

void store_rollback(struct store *store)
{
	/* A full disk makes SQLite roll back by itself; a second ROLLBACK would only be an error. */
	if (store->in_transaction && !sqlite3_get_autocommit(store->db))
		(void)store_run(store, "ROLLBACK", NO_VALUES, NULL);
	store->in_transaction = false;
}

const char *store_message(const struct store *store)
{
	return sqlite3_errmsg(store->db);
}

static int migrate_step(struct store *store, int64_t version)
{
	char pragma[64];
	int r = store_begin(store);

	if (r < 0)
		return r;
	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %lld", (long long)version + 1);
	r = sqlite3_exec(store->db, store_migrations[version], NULL, NULL, NULL) ? store_error(store) : 0;
	if (r == 0)
		r = store_run(store, pragma, NO_VALUES, NULL);
	if (r < 0) {
		store_rollback(store);
		return r;
	}
	return store_commit(store);
}

static int migrate(struct store *store, const char *path, struct error *err)
{
	int64_t version = 0;
	int r = store_select_number(store, "PRAGMA user_version", NO_VALUES, &version);

	if (r < 0)
		return r;
	if (version < 0 || version > STORE_VERSION)
		return error_set(err, -EPROTO,
				 "%s was written by a newer hotdesk (store version %lld, this one knows up to %d): "
				 "install that version again, or move the file away to start with an empty store",
				 path, (long long)version, STORE_VERSION);
	for (; version < STORE_VERSION; version++) {
		r = migrate_step(store, version);
		if (r < 0)
			return r;
	}
	return 0;
}

static void read_check(sqlite3_stmt *statement, void *row)
{
	column_text(statement, 0, row, 8);
}

/* The lock is kept as long as the store is open: no second broker writes beside this one. */
static int prepare_database(struct store *store)
{
	static const char *const pragmas[] = {"PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL",
					      "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON"};
	char check[8] = "";
	int r;

	sqlite3_busy_timeout(store->db, STORE_BUSY_MS);
	sqlite3_extended_result_codes(store->db, 1);
	for (size_t i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]); i++) {
		r = store_run(store, pragmas[i], NO_VALUES, NULL);
		if (r < 0)
			return r;
	}
	r = store_select_one(store, "PRAGMA quick_check(1)", NO_VALUES, sizeof(check), read_check, check);
	if (r < 0)
		return r;
	return strcmp(check, "ok") == 0 ? 0 : -EUCLEAN;
}

static int explain(int r, const struct store *store, const char *path, struct error *err)
{
	if (r == -EUCLEAN)
		return error_set(
		    err, r,
		    "%s is damaged or not a store of hotdesk (%s): restore it from a backup, or move it away "
		    "to start with an empty store",
		    path, store_message(store));
	if (r == -EAGAIN)
		return error_set(
		    err, r, "%s is in use: another hotdesk-broker runs with the same state directory; stop it first",
		    path);
	if (r == -ENOSPC)
		return error_set(err, r, "cannot write %s: the disk is full; free some space and start again", path);
	return error_set(err, r, "cannot open the store %s: %s; check that the directory is there and is the broker's",
			 path, store_message(store));
}

int store_open(const char *path, struct store **ret, struct error *err)
{
	_cleanup_(store_closep) struct store *store = calloc(1, sizeof(*store));
	struct error refused = {0};
	int r;

	if (!store)
		return error_set(err, -ENOMEM, "out of memory");
	r = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	r = r == SQLITE_OK ? prepare_database(store) : errno_of(r);
	if (r == 0)
		r = migrate(store, path, &refused);
	if (refused.code)
		return error_set(err, refused.code, "%s", refused.text);
	if (r < 0)
		return explain(r, store, path, err);
	*ret = steal_ptr(store);
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	store_rollback(store);
	sqlite3_close(store->db);
	free(store);
}

void store_closep(struct store **store)
{
	store_close(*store);
}
