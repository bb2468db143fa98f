/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pool create, list, show and set. */
#include "broker/admin_pool.h"

#include "broker/admin_image.h"
#include "broker/admin_json.h"
#include "broker/pool_keyboard.h"
#include "broker/pool_keys.h"

#include <errno.h>
#include <string.h>

int admin_pool_get(struct admin_call *call, struct pool *ret, struct error *err)
{
	const char *name = admin_argument(call, "name");
	int r = store_pool_get(broker_store(call->broker), name, ret);

	if (r == -ENOENT)
		return error_set(err, r, "there is no pool %s; `hotdesk pool list` shows those that are there", name);
	return r < 0 ? admin_store_error(call, r, err) : 0;
}

static struct json_object *entitled(const struct entitlement *rows, size_t n, const char *pool,
				    enum entitlement_kind kind)
{
	struct json_object *names = json_object_new_array();

	for (size_t i = 0; names && i < n; i++)
		if (rows[i].kind == kind && strcmp(rows[i].pool, pool) == 0)
			json_append(names, json_object_new_string(rows[i].name));
	return names;
}

/* All rows that a pool's line counts, read once for a whole list. */
struct inventory {
	struct entitlement *entitlements;
	struct desktop_row *desktops;
	size_t n_entitlements, n_desktops;
};

static void inventory_clear(struct inventory *inventory)
{
	free(inventory->entitlements);
	free(inventory->desktops);
}

static int inventory_read(struct store *store, const char *pool, struct inventory *ret)
{
	int r = store_entitlements(store, pool, &ret->entitlements, &ret->n_entitlements);

	return r < 0 ? r : store_desktops(store, pool, &ret->desktops, &ret->n_desktops);
}

static void add_counts(struct json_object *object, const struct inventory *inventory, const char *pool)
{
	unsigned desktops = 0, spares = 0;

	for (size_t i = 0; i < inventory->n_desktops; i++) {
		const struct desktop_row *row = &inventory->desktops[i];

		if (strcmp(row->pool, pool) != 0 || row->wanted == WANTED_ABSENT)
			continue;
		desktops++;
		spares += row->owner[0] == '\0';
	}
	json_add_number(object, "desktops", desktops);
	json_add_number(object, "spares", spares);
}

static struct json_object *pool_json(const struct pool *pool, const struct inventory *inventory)
{
	struct json_object *object = json_object_new_object();

	if (!object)
		return NULL;
	json_add_text(object, "name", pool->name);
	json_add_text(object, "image", pool->image);
	json_add_text(object, "kind", pool_kind_text(pool->kind));
	json_add_number(object, "memory_mib", pool->memory_mib);
	json_add_number(object, "vcpus", pool->vcpus);
	json_add_number(object, "max", pool->max);
	json_add_number(object, "min_spare", pool->min_spare);
	json_add_text(object, "keyboard", pool->keyboard);
	json_add_text(object, "guest_groups", pool->guest_groups);
	json_add_text(object, "clipboard", pool_clipboard_text(pool->clipboard));
	json_add(object, "clipboard_primary", json_object_new_boolean(pool->clipboard_primary));
	json_add(object, "sound", json_object_new_boolean(pool->sound));
	add_counts(object, inventory, pool->name);
	json_add(object, "users",
		 entitled(inventory->entitlements, inventory->n_entitlements, pool->name, ENTITLED_USER));
	json_add(object, "groups",
		 entitled(inventory->entitlements, inventory->n_entitlements, pool->name, ENTITLED_GROUP));
	json_add_time(object, "created", pool->created);
	return object;
}

int admin_pool_list(struct admin_call *call, struct error *err)
{
	_cleanup_(inventory_clear) struct inventory inventory = {0};
	_cleanup_free_ struct pool *pools = NULL;
	struct store *store = broker_store(call->broker);
	struct json_object *list;
	size_t n = 0;
	int r = store_pools(store, &pools, &n);

	if (r == 0)
		r = inventory_read(store, NULL, &inventory);
	if (r < 0)
		return admin_store_error(call, r, err);
	list = json_object_new_array();
	for (size_t i = 0; list && i < n; i++)
		json_append(list, pool_json(&pools[i], &inventory));
	admin_reply(call, list);
	return 0;
}

static int reply_pool(struct admin_call *call, const struct pool *pool, const char *message, struct error *err)
{
	_cleanup_(inventory_clear) struct inventory inventory = {0};
	int r = inventory_read(broker_store(call->broker), pool->name, &inventory);
	struct json_object *object;

	if (r < 0)
		return admin_store_error(call, r, err);
	object = pool_json(pool, &inventory);
	if (object && message)
		json_add_text(object, "message", message);
	admin_reply(call, object);
	return 0;
}

int admin_pool_show(struct admin_call *call, struct error *err)
{
	struct pool pool;
	int r = admin_pool_get(call, &pool, err);

	return r < 0 ? r : reply_pool(call, &pool, NULL, err);
}

/* The pairs of the command over what the pool has. */
static int apply_keys(struct admin_call *call, struct pool *pool, struct error *err)
{
	struct json_object *pairs = NULL;
	int r = 0;

	json_object_object_get_ex(call->arguments, "keys", &pairs);
	json_object_object_foreach(pairs, key, value)
	{
		r = pool_keys_set(pool, key, json_object_get_string(value), err);
		if (r < 0)
			return r;
		if (strcmp(key, "keyboard") == 0)
			r = pool_keyboard_check(pool->keyboard, err);
		if (r < 0)
			return r;
	}
	return pool_keys_check(pool, err);
}

/* A pool's kind says what log-off does with its desktops: not to be changed under somebody's feet. */
static int check_kind_change(struct admin_call *call, const struct pool *old, const struct pool *new, struct error *err)
{
	struct desktop_row owned;
	unsigned n = 0;
	int r;

	if (old->kind == new->kind)
		return 0;
	r = admin_pool_owned(call, old->name, &owned, &n, err);
	if (r < 0 || n == 0)
		return r;
	return error_set(
	    err, -EBUSY,
	    "pool %s has desktops of %u users (such as %s): make a second pool of kind %s, or delete those "
	    "first (`hotdesk desktop delete %s --yes`)",
	    old->name, n, owned.id, pool_kind_text(new->kind), owned.id);
}

/* Once more from the store, as other commands may have run while the host was asked. */
static int build_pool(struct admin_call *call, bool create, struct pool *ret, struct error *err)
{
	struct pool old;
	int r;

	if (create) {
		pool_keys_default(ret, admin_argument(call, "name"));
		ret->created = time(NULL);
		return apply_keys(call, ret, err);
	}
	r = admin_pool_get(call, &old, err);
	if (r < 0)
		return r;
	*ret = old;
	r = apply_keys(call, ret, err);
	return r < 0 ? r : check_kind_change(call, &old, ret, err);
}

static bool is_create(const struct admin_call *call)
{
	return strcmp(call->command->verb, "create") == 0;
}

static int save_pool(struct admin_call *call, struct error *err)
{
	struct store *store = broker_store(call->broker);
	bool create = is_create(call);
	struct pool pool;
	char message[128];
	int r = build_pool(call, create, &pool, err);

	if (r < 0)
		return r;
	r = create ? store_pool_insert(store, &pool) : store_pool_update(store, &pool);
	if (r == -EEXIST)
		return error_set(err, r, "there is a pool %s already: change it by `hotdesk pool set %s KEY=VALUE`",
				 pool.name, pool.name);
	if (r < 0)
		return admin_store_error(call, r, err);
	admin_note(call, pool.name, "", "%s pool %s", create ? "created" : "changed", pool.name);
	broker_pools_changed(call->broker);
	snprintf(message, sizeof(message),
		 create ? "pool %s is made; say who may use it: hotdesk pool entitle %s --user USER"
			: "pool %s is changed",
		 pool.name, pool.name);
	return reply_pool(call, &pool, message, err);
}

/* New desktops can be made of it. */
static int check_image(struct json_object *list, const char *image, struct error *err)
{
	_cleanup_(json_putp) struct json_object *versions = image_versions(list, image);
	size_t n = versions ? json_object_array_length(versions) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *published = NULL;

		if (json_object_object_get_ex(json_object_array_get_idx(versions, i), "published", &published) &&
		    json_object_get_boolean(published))
			return 0;
	}
	if (n > 0)
		return error_set(err, -ENOENT,
				 "no version of image %s is published: `hotdesk image publish %s:%u` first", image,
				 image, image_version_of(json_object_array_get_idx(versions, n - 1)));
	return error_set(err, -ENOENT,
			 "there is no image %s: import it first (`hotdesk image import %s FILE`); `hotdesk image list` "
			 "shows those that are there",
			 image, image);
}

static void images_listed(int r, struct json_object *list, int fd, const struct error *err, void *userdata)
{
	struct admin_call *call = userdata;
	struct json_object *pairs = NULL;
	struct error refused = {0};

	(void)fd;
	if (r < 0) {
		admin_fail(call, err);
		return;
	}
	json_object_object_get_ex(call->arguments, "keys", &pairs);
	r = check_image(list, admin_string(pairs, "image"), &refused);
	if (r == 0)
		r = save_pool(call, &refused);
	if (r < 0)
		admin_fail(call, &refused);
}

/* Everything that can be refused at once is; the image is asked of the host. */
static int change_pool(struct admin_call *call, struct error *err)
{
	struct json_object *pairs = NULL;
	struct pool pool;
	int r = build_pool(call, is_create(call), &pool, err);

	if (r < 0)
		return r;
	json_object_object_get_ex(call->arguments, "keys", &pairs);
	if (!admin_given(pairs, "image"))
		return save_pool(call, err);
	r = host_client_image_list(broker_host(call->broker), images_listed, call);
	return r < 0 ? admin_host_error(r, err) : 0;
}

int admin_pool_create(struct admin_call *call, struct error *err)
{
	return change_pool(call, err);
}

int admin_pool_set(struct admin_call *call, struct error *err)
{
	return change_pool(call, err);
}
