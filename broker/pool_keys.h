/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The settings of a pool, one table of key, type, range, default and help, for `pool create` and `pool set`. */
#ifndef BROKER_POOL_KEYS_H
#define BROKER_POOL_KEYS_H

#include "broker/store_rows.h"
#include "common/error.h"

enum pool_key_type {
	POOL_KEY_IMAGE,
	POOL_KEY_KIND,
	POOL_KEY_MEMORY,
	POOL_KEY_NUMBER,
	POOL_KEY_KEYBOARD,
	POOL_KEY_GROUPS,
	POOL_KEY_CLIPBOARD,
	POOL_KEY_FLAG
};

struct pool_key {
	const char *name;
	enum pool_key_type type;
	size_t offset;     /* of the field in struct pool */
	int64_t min, max;  /* of numbers, and of memory in MiB */
	const char *value; /* the default as text; NULL: must be given */
	const char *help;
};

/* Ends with a row whose name is NULL. */
extern const struct pool_key pool_keys[];

/* A pool of that name with every key at its default. */
void pool_keys_default(struct pool *pool, const char *name);

/* -EINVAL: err names the key and what it takes, or lists the keys. The pool is unchanged then. */
int pool_keys_set(struct pool *pool, const char *key, const char *value, struct error *err);

/* What several keys must fulfil together: all required ones given, min-spare not above max. */
int pool_keys_check(const struct pool *pool, struct error *err);

/* The value as it is typed ("2G"). */
void pool_keys_text(const struct pool *pool, const struct pool_key *key, char *buffer, size_t size);

#endif
