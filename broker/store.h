/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The broker's state over SQLite: WAL, synchronous FULL, foreign keys. Calls are synchronous and small. They return 0
 * or: -ENOENT no such row, -EEXIST a unique row is there already, -EBUSY other rows need it or a foreign key has no
 * target, -EINVAL a name is not valid, -ENOSPC disk full or no free slot or uid, -EIO anything else; store_message has
 * SQLite's text. Arrays (`ret`, `ret_n`) are the caller's to free(); with no rows *ret is NULL.
 */
#ifndef STORE_H
#define STORE_H

#include "broker/store_rows.h"
#include "common/error.h"

struct store;

/* Makes or opens it and migrates it. A newer store than this program (-EPROTO) or a damaged file (-EUCLEAN) is refused;
 * err says what to do. */
int store_open(const char *path, struct store **ret, struct error *err);
void store_close(struct store *store);
void store_closep(struct store **store);
const char *store_message(const struct store *store);

/* One transaction at a time (-EBUSY inside another). Without one, each call is its own. A failed commit rolls back. */
int store_begin(struct store *store);
int store_commit(struct store *store);
void store_rollback(struct store *store); /* nothing to do outside a transaction, so usable on every error path */

/* Pools. Deleting one deletes its entitlements and is -EBUSY while it has desktops. Update: all columns but name and
 * created. */
int store_pools(struct store *store, struct pool **ret, size_t *ret_n);
int store_pool_get(struct store *store, const char *name, struct pool *ret);
int store_pool_insert(struct store *store, const struct pool *pool);
int store_pool_update(struct store *store, const struct pool *pool);
int store_pool_delete(struct store *store, const char *name);

/* Entitlements; pool NULL: of all. */
int store_entitlements(struct store *store, const char *pool, struct entitlement **ret, size_t *ret_n);
int store_entitlement_insert(struct store *store, const struct entitlement *entitlement);
int store_entitlement_delete(struct store *store, const struct entitlement *entitlement);

/* Desktops; pool NULL: all. find: the one that is not wanted absent, -ENOENT when none. */
int store_desktops(struct store *store, const char *pool, struct desktop_row **ret, size_t *ret_n);
int store_desktop_get(struct store *store, const char *id, struct desktop_row *ret);
int store_desktop_find(struct store *store, const char *pool, const char *owner, struct desktop_row *ret);
/* Fills row->slot: the lowest free one below slot_limit. -EEXIST: the owner has one in that pool. */
int store_desktop_insert(struct store *store, struct desktop_row *row, uint32_t slot_limit);
/* All columns but id, slot, pool, created, memory_mib and vcpus. */
int store_desktop_update(struct store *store, const struct desktop_row *row);
/* Frees the slot; deletes its sessions and their viewers. */
int store_desktop_delete(struct store *store, const char *id);

/* Open sessions. find: the one of a desktop. An ended one is kept until the desktop's next session, and while it has
 * viewers. insert fills row->id; -EEXIST: the desktop has an open one. */
int store_sessions(struct store *store, struct session_row **ret, size_t *ret_n);
int store_session_get(struct store *store, int64_t id, struct session_row *ret);
int store_session_find(struct store *store, const char *desktop, struct session_row *ret);
int store_session_insert(struct store *store, struct session_row *row);
int store_session_set_state(struct store *store, int64_t id, enum session_state state);
int store_session_set_boot(struct store *store, int64_t id, uint32_t boot);

/* Viewers that are connected. insert fills row->slot: the lowest free one below slot_limit. */
int store_viewers(struct store *store, struct viewer_row **ret, size_t *ret_n);
int store_viewer_insert(struct store *store, struct viewer_row *row, uint32_t slot_limit);
int store_viewer_delete(struct store *store, uint32_t slot);

/* Events, newest first, at most `limit`. add gives the id and drops the oldest above STORE_EVENTS_MAX. Refused logins
 * and copied texts are events with ids and a quota of their own; those of one minute that are alike are one. */
int store_events(struct store *store, size_t limit, struct event_row **ret, size_t *ret_n);
int store_event_add(struct store *store, const struct event_row *event);
int store_refusal_add(struct store *store, const struct refusal_row *refusal);
int store_copy_add(struct store *store, const struct copy_row *copy);

/* The uid of a user unknown to NSS: kept for ever, else the lowest free one of first .. first + count - 1. */
int store_user_uid(struct store *store, const char *name, uint32_t first, uint32_t count, uint32_t *ret);

/* The generation of the desired set (SetDesired): read, and count up by one. */
int store_generation(struct store *store, uint64_t *ret);
int store_generation_next(struct store *store, uint64_t *ret);
/* Makes it at least this (a store restored from a copy is behind the host). */
int store_generation_raise(struct store *store, uint64_t least);

#endif
