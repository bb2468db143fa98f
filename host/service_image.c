/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/service_internal.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "host/image_removal.h"
#include "host/json.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

struct removal {
	struct service *service;
	sd_bus_message *call;
	struct image_removal work;
};

static void removal_free(struct removal *removal)
{
	image_list_free(removal->work.images);
	image_list_free(removal->work.gone);
	sd_bus_message_unref(removal->call);
	free(removal);
}

static int removal_work(void *data, struct error *err)
{
	return image_removal_run(&((struct removal *)data)->work, err);
}

static void removal_done(int r, const struct error *err, void *data)
{
	struct removal *removal = data;
	struct image_store *store = removal->service->images;
	struct image_removal *work = &removal->work;

	while (work->images) {
		struct image *image = work->images;

		work->images = image->next;
		image_store_add(store, image);
	}
	if (work->published != 0)
		image_store_publish(store, work->name, work->published);
	for (const struct image *at = work->gone; at; at = at->next)
		log_notice("image %s:%u is deleted", at->name, at->version);
	if (work->left)
		log_warning("files of image %s cannot be removed, it is tried again at the next start", work->name);
	if (r < 0)
		bus_reply_with_error(removal->call, err);
	else
		sd_bus_reply_method_return(removal->call, "");
	removal_free(removal);
}

static int refuse_delete(const struct service *service, const char *name, uint32_t version, struct error *err)
{
	const struct vm *user = desktops_with_image(service->desktops, name, version);

	if (user)
		return error_set(err, -EBUSY, "image %s is in use by desktop %s: delete that first", name, vm_id(user));
	if (version > 0 && image_store_is_kept(service->images, name, version))
		return error_set(
		    err, -EBUSY,
		    "image %s:%u is published: publish another version first (`hotdesk image publish "
		    "%s:VERSION` or `hotdesk image rollback %s`), or delete all by `hotdesk image delete %s`",
		    name, version, name, name, name);
	return 0;
}

/* Nobody can choose them any more once they are off the list, so the disk may take its time. */
static int start_removal(struct service *service, sd_bus_message *call, const char *name, uint32_t version,
			 struct error *err)
{
	struct removal *removal = calloc(1, sizeof(*removal));

	if (!removal)
		return error_set(err, -ENOMEM, "out of memory");
	removal->work.images = image_store_take(service->images, name, version);
	if (!removal->work.images) {
		free(removal);
		return error_set(err, -ENOENT,
				 "there is no such image: `hotdesk image list` shows those that are there");
	}
	removal->service = service;
	removal->call = sd_bus_message_ref(call);
	removal->work.directory = image_store_directory(service->images);
	removal->work.all = version == 0;
	snprintf(removal->work.name, sizeof(removal->work.name), "%s", name);
	if (jobs_start(service->image_jobs, removal_work, removal_done, removal) < 0)
		removal_done(error_set(err, -ENOMEM, "out of memory"), err, removal);
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
	r = refuse_delete(userdata, name, version, &err);
	if (r == 0)
		r = start_removal(userdata, call, name, version, &err);
	return r < 0 ? bus_reply_with_error(call, &err) : 1;
}

struct opening {
	sd_bus_message *call;
	uint32_t version;
	char path[PATH_MAX];
	int fd;
};

static int opening_work(void *data, struct error *err)
{
	struct opening *opening = data;

	opening->fd = open(opening->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return opening->fd < 0 ? error_set_errno(err, -errno, "%s cannot be read", opening->path) : 0;
}

static void opening_done(int r, const struct error *err, void *data)
{
	struct opening *opening = data;

	if (r < 0)
		bus_reply_with_error(opening->call, err);
	else
		sd_bus_reply_method_return(opening->call, "uh", opening->version, opening->fd);
	closep(&opening->fd);
	sd_bus_message_unref(opening->call);
	free(opening);
}

static const struct image *find_origin(const struct service *service, const char *name, uint32_t version, bool recipe,
				       struct error *err)
{
	const struct image *image =
	    version ? image_store_find(service->images, name, version) : image_store_newest(service->images, name);

	if (!image)
		error_set(err, -ENOENT, "there is no such image: `hotdesk image list` shows those that are there");
	else if (recipe ? image->recipe_name[0] == '\0' : !image->log)
		error_set(err, -ENOENT,
			  "image %s:%u has no %s, as `hotdesk image import` was not given one: `hotdesk image show %s` "
			  "shows which versions have",
			  name, image->version, recipe ? "recipe" : "build log", name);
	else
		return image;
	return NULL;
}

static int start_opening(const struct service *service, sd_bus_message *call, const struct image *image, bool recipe)
{
	struct opening *opening = calloc(1, sizeof(*opening));
	int r;

	if (!opening)
		return -ENOMEM;
	opening->call = sd_bus_message_ref(call);
	opening->version = image->version;
	opening->fd = -1;
	r = fs_path(opening->path, sizeof(opening->path), "%s/%s/%u/%s", image_store_directory(service->images),
		    image->name, image->version, recipe ? "recipe" : "build.log");
	if (r == 0)
		r = jobs_start(service->env.jobs, opening_work, opening_done, opening);
	if (r < 0) {
		sd_bus_message_unref(opening->call);
		free(opening);
	}
	return r < 0 ? r : 1;
}

int service_image_open(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	const struct image *image;
	const char *name, *what;
	struct error err = {0};
	uint32_t version;
	bool recipe;
	int r = sd_bus_message_read(call, "sus", &name, &version, &what);

	(void)ret_error;
	if (r < 0)
		return r;
	recipe = strcmp(what, "recipe") == 0;
	if (!recipe && strcmp(what, "log") != 0)
		return -EINVAL;
	image = find_origin(userdata, name, version, recipe, &err);
	return image ? start_opening(userdata, call, image, recipe) : bus_reply_with_error(call, &err);
}
