/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared by the files of the store alone: values bound to a statement, rows read from one. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include "broker/store.h"
#include "common/cleanup.h"

#include <sqlite3.h>

struct store {
	sqlite3 *db;
	bool in_transaction;
};

/* What is bound to ?1, ?2, ...: a text, or a number where text is NULL. */
struct value {
	const char *text;
	int64_t number;
};

#define TEXT(t) ((struct value){.text = (t)})
#define NUMBER(n) ((struct value){.number = (n)})
#define VALUES(...)                                                                                                    \
	(const struct value[]){__VA_ARGS__}, sizeof((const struct value[]){__VA_ARGS__}) / sizeof(struct value)
#define NO_VALUES NULL, 0

typedef void (*row_fn)(sqlite3_stmt *statement, void *row);

/* Runs one statement. *ret_changes (may be NULL): rows it changed. */
int store_run(struct store *store, const char *sql, const struct value *values, size_t n, int *ret_changes);
/* As store_run; -ENOENT when no row was changed. */
int store_run_one(struct store *store, const char *sql, const struct value *values, size_t n);
/* All rows as an array of `size` bytes each, read by `read`. */
int store_select(struct store *store, const char *sql, const struct value *values, size_t n, size_t size, row_fn read,
		 void **ret, size_t *ret_n);
/* The first row; -ENOENT when none. */
int store_select_one(struct store *store, const char *sql, const struct value *values, size_t n, size_t size,
		     row_fn read, void *ret);
int store_select_number(struct store *store, const char *sql, const struct value *values, size_t n, int64_t *ret);

/* A column into a fixed buffer, always with a NUL; only what was checked when it was written is cut. */
void column_text(sqlite3_stmt *statement, int column, char *buffer, size_t size);

#endif
