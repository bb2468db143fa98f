/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/service_internal.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "host/image_import.h"
#include "host/json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PROGRESS_USEC UINT64_C(200000)

struct import {
	struct service *service;
	sd_bus_message *call;
	sd_event_source *timer;
	unsigned told;
	char name[IMAGE_NAME_SIZE], append[IMAGE_APPEND_SIZE];
	struct image_import work;
};

static void import_free(struct import *import)
{
	sd_event_source_disable_unref(import->timer);
	sd_bus_message_unref(import->call);
	closep(&import->work.disk);
	closep(&import->work.kernel);
	closep(&import->work.initrd);
	free(import->work.result);
	free(import);
}

static void tell_progress(struct import *import)
{
	unsigned percent = import->work.percent;

	if (percent == import->told)
		return;
	import->told = percent;
	service_signal(import->service, "ImageProgress", "su", import->name, percent);
}

static int import_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)usec;
	tell_progress(userdata);
	sd_event_source_set_time_relative(source, PROGRESS_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int import_work(void *data, struct error *err)
{
	return image_import_run(&((struct import *)data)->work, err);
}

static void import_done(int r, const struct error *err, void *data)
{
	struct import *import = data;

	if (r < 0) {
		log_warning("image %s was not imported: %s", import->name, err->text);
		bus_reply_with_error(import->call, err);
	} else {
		struct image *image = steal_ptr(import->work.result);

		log_notice("image %s:%u is imported", image->name, image->version);
		tell_progress(import);
		image_store_add(import->service->images, image);
		sd_bus_reply_method_return(import->call, "u", image->version);
	}
	import_free(import);
}

/* sd-bus closes its fds with the message; here they live as long as the copy. */
static int import_take_fds(struct import *import, bool has_kernel, const int *fds)
{
	import->work.disk = fcntl(fds[0], F_DUPFD_CLOEXEC, 3);
	if (import->work.disk < 0)
		return -errno;
	if (!has_kernel)
		return 0;
	import->work.kernel = fcntl(fds[1], F_DUPFD_CLOEXEC, 3);
	import->work.initrd = fcntl(fds[2], F_DUPFD_CLOEXEC, 3);
	return import->work.kernel < 0 || import->work.initrd < 0 ? -errno : 0;
}

static int import_start(struct import *import)
{
	struct service *service = import->service;
	int r = sd_event_add_time_relative(service->event, &import->timer, CLOCK_MONOTONIC, PROGRESS_USEC, 0,
					   import_timer, import);

	import->work.directory = image_store_directory(service->images);
	import->work.name = import->name;
	import->work.append = import->append;
	import->work.jobs = service->image_jobs;
	return r < 0 ? r : jobs_start(service->image_jobs, import_work, import_done, import);
}

static int refuse(sd_bus_message *call, int code, const char *text)
{
	struct error err = {0};

	error_set(&err, code, "%s", text);
	return bus_reply_with_error(call, &err);
}

int service_image_import(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	const char *name, *append;
	struct import *import;
	int fds[3], has_kernel;
	int r = sd_bus_message_read(call, "shbhhs", &name, &fds[0], &has_kernel, &fds[1], &fds[2], &append);

	(void)ret_error;
	if (r < 0)
		return r;
	if (!image_name_valid(name))
		return refuse(call, -EINVAL,
			      "an image's name has 1 to 32 of a-z, 0-9 and -, and does not begin with -");
	if (!image_append_valid(append))
		return refuse(call, -EINVAL, "the kernel's command line is too long or has characters it cannot have");
	if (append[0] && !has_kernel)
		return refuse(call, -EINVAL, "a kernel's command line needs --kernel and --initrd");
	import = calloc(1, sizeof(*import));
	if (!import)
		return -ENOMEM;
	import->service = userdata;
	import->work.disk = import->work.kernel = import->work.initrd = -1;
	snprintf(import->name, sizeof(import->name), "%s", name);
	snprintf(import->append, sizeof(import->append), "%s", append);
	r = import_take_fds(import, has_kernel, fds);
	if (r == 0)
		r = import_start(import);
	if (r < 0) {
		import_free(import);
		return r;
	}
	import->call = sd_bus_message_ref(call);
	return 1;
}

static struct json_object *image_json(const struct service *service, const struct image *image)
{
	struct json_object *object = json_object_new_object();
	bool published = image_store_find(service->images, image->name, 0) == image, good = true;
	bool in_use = desktops_with_image(service->desktops, image->name, image->version) != NULL;

	json_put(object, "name", json_object_new_string(image->name), &good);
	json_put(object, "version", json_object_new_int64(image->version), &good);
	json_put(object, "published", json_object_new_boolean(published), &good);
	json_put(object, "size", json_object_new_int64((int64_t)image->size), &good);
	json_put(object, "virtual_size", json_object_new_int64((int64_t)image->virtual_size), &good);
	json_put(object, "sha256", json_object_new_string(image->sha256), &good);
	json_put(object, "created", json_object_new_string(image->created), &good);
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
