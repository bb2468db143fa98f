/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/service_internal.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "host/json.h"

#include <errno.h>
#include <string.h>

static struct json_object *image_json(const struct service *service, const struct image *image)
{
	struct json_object *object = json_object_new_object();
	bool good = true;
	bool in_use = desktops_with_image(service->desktops, image->name, image->version) != NULL;

	json_put(object, "name", json_object_new_string(image->name), &good);
	json_put(object, "version", json_object_new_int64(image->version), &good);
	json_put(object, "published", json_object_new_boolean(image->published), &good);
	json_put(object, "size", json_object_new_int64((int64_t)image->size), &good);
	json_put(object, "virtual_size", json_object_new_int64((int64_t)image->virtual_size), &good);
	json_put(object, "sha256", json_object_new_string(image->sha256), &good);
	json_put(object, "created", json_object_new_string(image->created), &good);
	json_put(object, "recipe_name", json_object_new_string(image->recipe_name), &good);
	json_put(object, "log", json_object_new_boolean(image->log), &good);
	json_put(object, "direct_boot", json_object_new_boolean(image->direct_boot), &good);
	json_put(object, "in_use", json_object_new_boolean(in_use), &good);
	if (good)
		return object;
	json_object_put(object);
	return NULL;
}

int service_image_list(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	const struct service *service = userdata;
	_cleanup_json_ struct json_object *list = json_object_new_array();

	(void)ret_error;
	for (const struct image *at = image_store_first(service->images); at && list; at = at->next) {
		struct json_object *object = image_json(service, at);

		if (!object || json_object_array_add(list, object) < 0) {
			json_object_put(object);
			return -ENOMEM;
		}
	}
	return service_reply_json(call, list);
}

static int removal_work(void *data, struct error *err)
{
	(void)err;
	return fs_remove_tree(data);
}

static void removal_done(int r, const struct error *err, void *data)
{
	(void)err;
	if (r < 0)
		log_warning("%s cannot be removed, it is tried again at the next start: %s", (char *)data,
			    strerror(-r));
	free(data);
}

static int delete_image(struct service *service, const char *name, uint32_t version, struct error *err)
{
	const struct vm *user = desktops_with_image(service->desktops, name, version);
	char *path = NULL;
	int r;

	if (user)
		return error_set(err, -EBUSY, "image %s is in use by desktop %s: delete that first", name, vm_id(user));
	if (version > 0 && image_store_is_kept(service->images, name, version))
		return error_set(
		    err, -EBUSY,
		    "image %s:%u is published: publish another version first (`hotdesk image publish "
		    "%s:VERSION` or `hotdesk image rollback %s`), or delete all by `hotdesk image delete %s`",
		    name, version, name, name, name);
	r = image_name_valid(name) ? image_store_remove(service->images, name, version, &path) : -ENOENT;
	if (r == -ENOENT)
		return error_set(err, r, "there is no such image: `hotdesk image list` shows those that are there");
	if (r < 0)
		return error_set_errno(err, r, "image %s cannot be deleted", name);
	log_notice("image %s:%u is deleted (0: all versions)", name, version);
	if (jobs_start(service->image_jobs, removal_work, removal_done, path) < 0)
		free(path);
	return 0;
}

int service_image_delete(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct error err = {0};
	const char *name;
	uint32_t version;
	int r = sd_bus_message_read(call, "su", &name, &version);

	(void)ret_error;
	if (r < 0)
		return r;
	r = delete_image(userdata, name, version, &err);
	return r < 0 ? bus_reply_with_error(call, &err) : sd_bus_reply_method_return(call, "");
}
