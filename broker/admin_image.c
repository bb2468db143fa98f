/* SPDX-License-Identifier: GPL-3.0-or-later */
/* image import, list and show. */
#include "broker/admin_image.h"

#include "broker/admin_json.h"

#include <errno.h>
#include <string.h>

static int file_of(const struct admin_call *call, const char *key)
{
	const char *index = admin_argument(call, key);

	/* admin_check made sure that it is the index of an fd. */
	return index ? call->fds[strtoul(index, NULL, 10)] : -1;
}

uint32_t image_version_of(struct json_object *image)
{
	struct json_object *version = NULL;

	return json_object_object_get_ex(image, "version", &version) ? (uint32_t)json_object_get_int64(version) : 0;
}

static struct json_object *imported(const char *name, uint32_t version, bool published)
{
	struct json_object *reply = json_object_new_object();
	char text[256];

	if (!reply)
		return NULL;
	if (published)
		snprintf(text, sizeof(text), "image %s:%u is imported and published", name, version);
	else
		snprintf(text, sizeof(text),
			 "image %s:%u is imported; new desktops use it after `hotdesk image publish %s:%u`", name,
			 version, name, version);
	json_add_text(reply, "name", name);
	json_add_number(reply, "version", version);
	json_add_bool(reply, "published", published);
	json_add_text(reply, "message", text);
	return reply;
}

static bool to_publish(const struct admin_call *call)
{
	return !admin_given(call->arguments, "no-publish");
}

static void import_done(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct admin_call *call = userdata;
	const char *name = admin_argument(call, "name");

	(void)fd;
	if (r < 0) {
		admin_fail(call, err);
		return;
	}
	admin_note(call, "", "", "imported %simage %s:%u", to_publish(call) ? "and published " : "", name,
		   image_version_of(json));
	/* Pools that waited for an image can make their spares now. */
	broker_pools_changed(call->broker);
	admin_reply(call, imported(name, image_version_of(json), to_publish(call)));
}

static const char *text_or_none(const struct admin_call *call, const char *key)
{
	const char *text = admin_argument(call, key);

	return text ? text : "";
}

int admin_image_import(struct admin_call *call, struct error *err)
{
	const struct host_image_import import = {
	    .name = admin_argument(call, "name"),
	    .append = text_or_none(call, "append"),
	    .recipe_name = text_or_none(call, "recipe-name"),
	    .disk = file_of(call, "file"),
	    .kernel = file_of(call, "kernel"),
	    .initrd = file_of(call, "initrd"),
	    .recipe = file_of(call, "recipe"),
	    .log = file_of(call, "log"),
	    .publish = to_publish(call),
	};
	int r = host_client_image_import(broker_host(call->broker), &import, import_done, call);

	return r < 0 ? admin_host_error(r, err) : 0;
}

int image_ask_list(struct admin_call *call, host_done_fn done, struct error *err)
{
	int r = host_client_image_list(broker_host(call->broker), done, call);

	return r < 0 ? admin_host_error(r, err) : 0;
}

static void list_done(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	(void)fd;
	if (r < 0)
		admin_fail(userdata, err);
	else
		admin_reply(userdata, json_object_get(json));
}

int admin_image_list(struct admin_call *call, struct error *err)
{
	return image_ask_list(call, list_done, err);
}

struct json_object *image_versions(struct json_object *list, const char *name)
{
	struct json_object *versions = NULL;
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *image = json_object_array_get_idx(list, i);
		const char *its_name = admin_string(image, "name");

		if (!its_name || strcmp(its_name, name) != 0)
			continue;
		if (!versions && !(versions = json_object_new_array()))
			return NULL;
		json_append(versions, json_object_get(image));
	}
	return versions;
}

int image_none(const char *name, struct error *err)
{
	return error_set(err, -ENOENT, "there is no image %s; `hotdesk image list` shows those that are there", name);
}

static struct json_object *pools_with_image(struct store *store, const char *image)
{
	_cleanup_free_ struct pool *pools = NULL;
	struct json_object *names = json_object_new_array();
	size_t n = 0;

	if (!names || store_pools(store, &pools, &n) < 0)
		return names;
	for (size_t i = 0; i < n; i++)
		if (strcmp(pools[i].image, image) == 0)
			json_append(names, json_object_new_string(pools[i].name));
	return names;
}

static void show_done(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct admin_call *call = userdata;
	const char *name = admin_argument(call, "name");
	struct json_object *versions, *reply;
	struct error missing = {0};

	(void)fd;
	if (r < 0) {
		admin_fail(call, err);
		return;
	}
	versions = image_versions(json, name);
	if (!versions) {
		image_none(name, &missing);
		admin_fail(call, &missing);
		return;
	}
	reply = json_object_new_object();
	if (!reply) {
		json_object_put(versions);
	} else {
		json_add_text(reply, "name", name);
		json_add(reply, "pools", pools_with_image(broker_store(call->broker), name));
		json_add(reply, "versions", versions);
	}
	admin_reply(call, reply);
}

int admin_image_show(struct admin_call *call, struct error *err)
{
	return image_ask_list(call, show_done, err);
}

void image_split(const char *text, char *name, uint32_t *ret_version)
{
	const char *colon = strchr(text, ':');
	int length = colon ? (int)(colon - text) : (int)strlen(text);

	snprintf(name, STORE_NAME_SIZE, "%.*s", length, text);
	*ret_version = colon ? (uint32_t)strtoul(colon + 1, NULL, 10) : 0;
}

int image_user(struct admin_call *call, const char *name, uint32_t version, char *ret, size_t size, struct error *err)
{
	_cleanup_free_ struct desktop_row *rows = NULL;
	size_t n = 0;
	int r = store_desktops(broker_store(call->broker), NULL, &rows, &n);

	if (r < 0)
		return admin_store_error(call, r, err);
	ret[0] = '\0';
	for (size_t i = 0; i < n && !ret[0]; i++)
		if (strcmp(rows[i].image, name) == 0 && rows[i].image_version == version)
			snprintf(ret, size, "%s", rows[i].id);
	return 0;
}
