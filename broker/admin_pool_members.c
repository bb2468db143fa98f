/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pool entitle, revoke and delete: who may use a pool, and its end. */
#include "broker/admin_pool.h"

#include <errno.h>
#include <string.h>

int admin_pool_owned(struct admin_call *call, const char *pool, struct desktop_row *ret, unsigned *ret_n,
		     struct error *err)
{
	_cleanup_free_ struct desktop_row *rows = NULL;
	size_t n = 0;
	int r = store_desktops(broker_store(call->broker), pool, &rows, &n);

	if (r < 0)
		return admin_store_error(call, r, err);
	*ret_n = 0;
	for (size_t i = 0; i < n; i++)
		if (rows[i].owner[0] && rows[i].wanted != WANTED_ABSENT && (*ret_n)++ == 0)
			*ret = rows[i];
	return 0;
}

static void fill_entitlement(const struct admin_call *call, struct entitlement *ret)
{
	const char *user = admin_argument(call, "user");

	*ret = (struct entitlement){.kind = user ? ENTITLED_USER : ENTITLED_GROUP};
	snprintf(ret->pool, sizeof(ret->pool), "%s", admin_argument(call, "name"));
	snprintf(ret->name, sizeof(ret->name), "%s", user ? user : admin_argument(call, "group"));
}

int admin_pool_entitle(struct admin_call *call, struct error *err)
{
	struct entitlement row;
	struct pool pool;
	int r = admin_pool_get(call, &pool, err);

	if (r < 0)
		return r;
	fill_entitlement(call, &row);
	r = store_entitlement_insert(broker_store(call->broker), &row);
	if (r < 0 && r != -EEXIST)
		return admin_store_error(call, r, err);
	if (r == 0) {
		admin_note(call, pool.name, "", "entitled %s %s to pool %s", entitlement_kind_text(row.kind), row.name,
			   pool.name);
		broker_pools_changed(call->broker);
	}
	admin_reply_text(call, "%s %s %s entitled to pool %s", entitlement_kind_text(row.kind), row.name,
			 r == -EEXIST ? "was already" : "is now", pool.name);
	return 0;
}

int admin_pool_revoke(struct admin_call *call, struct error *err)
{
	struct entitlement row;
	struct pool pool;
	int r = admin_pool_get(call, &pool, err);

	if (r < 0)
		return r;
	fill_entitlement(call, &row);
	r = store_entitlement_delete(broker_store(call->broker), &row);
	if (r == -ENOENT)
		return error_set(err, r, "%s %s is not entitled to pool %s; `hotdesk pool show %s` shows who is",
				 entitlement_kind_text(row.kind), row.name, pool.name, pool.name);
	if (r < 0)
		return admin_store_error(call, r, err);
	admin_note(call, pool.name, "", "revoked %s %s from pool %s", entitlement_kind_text(row.kind), row.name,
		   pool.name);
	broker_pools_changed(call->broker);
	admin_reply_text(call, "%s %s is no longer entitled to pool %s", entitlement_kind_text(row.kind), row.name,
			 pool.name);
	return 0;
}

static int refuse_owned(struct admin_call *call, struct error *err)
{
	const char *name = admin_argument(call, "name");
	struct desktop_row owned;
	unsigned n = 0;
	int r = admin_pool_owned(call, name, &owned, &n, err);

	if (r < 0 || n == 0)
		return r;
	return error_set(
	    err, -EBUSY,
	    "pool %s has %u desktop%s of users (%s of %s): delete %s first, `hotdesk desktop list --pool %s` shows "
	    "them and `hotdesk desktop delete %s --yes` deletes one",
	    name, n, n == 1 ? "" : "s", owned.id, owned.owner, n == 1 ? "it" : "them", name, owned.id);
}

static void put_spares_back(struct admin_call *call)
{
	struct store *store = broker_store(call->broker);
	struct pool pool;

	if (store_pool_get(store, admin_argument(call, "name"), &pool) < 0)
		return;
	pool.min_spare = call->min_spare;
	(void)store_pool_update(store, &pool);
	broker_pools_changed(call->broker);
}

/* The spares are gone, or some could not be removed: then the pool stays as it was. */
static void delete_pool(struct admin_call *call)
{
	const char *name = admin_argument(call, "name");
	struct error refused = call->failed;
	int r = refused.code;

	if (r == 0)
		r = refuse_owned(call, &refused);
	if (r == 0) {
		r = store_pool_delete(broker_store(call->broker), name);
		if (r == -EBUSY)
			error_set(&refused, r, "pool %s got a desktop meanwhile: try again", name);
		else if (r < 0)
			admin_store_error(call, r, &refused);
	}
	if (r < 0) {
		put_spares_back(call);
		admin_fail(call, &refused);
		return;
	}
	admin_note(call, name, "", "deleted pool %s", name);
	broker_pools_changed(call->broker);
	admin_reply_text(call, "pool %s is deleted", name);
}

static void spare_deleted(int r, const struct error *err, void *userdata)
{
	struct admin_call *call = userdata;

	if (r < 0 && call->failed.code == 0)
		call->failed = *err;
	if (--call->pending == 0)
		delete_pool(call);
}

static int delete_spares(struct admin_call *call, struct error *err)
{
	_cleanup_free_ struct desktop_row *rows = NULL;
	size_t n = 0;
	int r = store_desktops(broker_store(call->broker), admin_argument(call, "name"), &rows, &n);

	if (r < 0)
		return admin_store_error(call, r, err);
	call->pending = 1;
	for (size_t i = 0; i < n; i++) {
		struct error refused = {0};

		if (broker_desktop_delete(call->broker, rows[i].id, spare_deleted, call, &refused) == 0)
			call->pending++;
		else if (call->failed.code == 0)
			call->failed = refused;
	}
	spare_deleted(0, NULL, call);
	return 0;
}

int admin_pool_delete(struct admin_call *call, struct error *err)
{
	struct pool pool;
	int r = admin_pool_get(call, &pool, err);

	if (r == 0)
		r = refuse_owned(call, err);
	if (r < 0)
		return r;
	/* No new spares while the old ones go. */
	call->min_spare = pool.min_spare;
	pool.min_spare = 0;
	r = store_pool_update(broker_store(call->broker), &pool);
	if (r < 0)
		return admin_store_error(call, r, err);
	broker_pools_changed(call->broker);
	return delete_spares(call, err);
}
