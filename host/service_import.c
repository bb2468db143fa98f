/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ImageImport. */
#include "host/service_internal.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "host/image_import.h"
#include "host/json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct import {
	struct service *service;
	sd_bus_message *call;
	struct progress progress;
	char name[IMAGE_NAME_SIZE], append[IMAGE_APPEND_SIZE], recipe_name[IMAGE_RECIPE_NAME_SIZE];
	struct image_import work;
};

static void import_free(struct import *import)
{
	progress_stop(&import->progress);
	sd_bus_message_unref(import->call);
	closep(&import->work.disk);
	closep(&import->work.kernel);
	closep(&import->work.initrd);
	closep(&import->work.recipe);
	closep(&import->work.log);
	free(import->work.result);
	free(import);
}

static int import_work(void *data, struct error *err)
{
	return image_import_run(&((struct import *)data)->work, err);
}

static void import_done(int r, const struct error *err, void *data)
{
	struct import *import = data;
	struct image *image = steal_ptr(import->work.result);

	if (r < 0 || !image) {
		log_warning("image %s was not imported: %s", import->name, err->text);
		bus_reply_with_error(import->call, err);
	} else {
		log_notice("image %s:%u is imported%s", image->name, image->version,
			   image->published ? " and published" : "");
		progress_tell(&import->progress);
		sd_bus_reply_method_return(import->call, "u", image->version);
	}
	if (image)
		image_store_add(import->service->images, image);
	import_free(import);
}

static int import_start(struct import *import)
{
	struct service *service = import->service;
	int r = progress_start(&import->progress, service, import->name, &import->work.percent);

	import->work.directory = image_store_directory(service->images);
	import->work.name = import->name;
	import->work.append = import->append;
	import->work.recipe_name = import->recipe_name;
	import->work.jobs = service->image_jobs;
	return r < 0 ? r : jobs_start(service->image_jobs, import_work, import_done, import);
}

/* Where the file of this name goes, and for which fd of the call it stands; NULL: no such name. */
static int *file_place(struct import *import, const char *name)
{
	struct image_import *work = &import->work;
	const struct {
		const char *name;
		int *place;
	} files[] = {
	    {"disk", &work->disk},     {"kernel", &work->kernel}, {"initrd", &work->initrd},
	    {"recipe", &work->recipe}, {"log", &work->log},
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (strcmp(files[i].name, name) == 0)
			return files[i].place;
	return NULL;
}

/* sd-bus closes its fds with the message; here they live as long as the copy. */
static int take_files(struct import *import, sd_bus_message *call, struct json_object *names)
{
	size_t n = names ? json_object_array_length(names) : 0;
	int r = sd_bus_message_enter_container(call, 'a', "h");

	for (size_t i = 0; r >= 0 && i < n; i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(names, i));
		int *place = name ? file_place(import, name) : NULL;
		int fd;

		if (!place || *place >= 0)
			return -EBADMSG;
		r = sd_bus_message_read_basic(call, 'h', &fd);
		if (r == 0)
			return -EBADMSG;
		if (r > 0 && (*place = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
			return -errno;
	}
	return r < 0 ? r : sd_bus_message_exit_container(call);
}

static int take_properties(struct import *import, const char *name, struct json_object *properties, struct error *err)
{
	const char *append = json_text(properties, "append"), *recipe_name = json_text(properties, "recipe_name");

	if (!image_name_valid(name))
		return error_set(err, -EINVAL,
				 "an image's name has 1 to 32 of a-z, 0-9 and -, and does not begin with -");
	if (!append || !image_append_valid(append))
		return error_set(err, -EINVAL,
				 "the kernel's command line is too long or has characters it cannot have");
	if (!recipe_name || !image_recipe_name_valid(recipe_name))
		return error_set(err, -EINVAL, "the recipe's name has more than 255 bytes or control characters");
	snprintf(import->name, sizeof(import->name), "%s", name);
	snprintf(import->append, sizeof(import->append), "%s", append);
	snprintf(import->recipe_name, sizeof(import->recipe_name), "%s", recipe_name);
	import->work.publish = json_flag(properties, "publish");
	return 0;
}

static int check_files(const struct import *import, struct error *err)
{
	const struct image_import *work = &import->work;

	if (work->disk < 0)
		return error_set(err, -EINVAL, "the image's file is missing");
	if ((work->kernel < 0) != (work->initrd < 0))
		return error_set(err, -EINVAL, "--kernel and --initrd come together");
	if (import->append[0] && work->kernel < 0)
		return error_set(err, -EINVAL, "a kernel's command line needs --kernel and --initrd");
	if ((work->recipe < 0) != (import->recipe_name[0] == '\0'))
		return error_set(err, -EINVAL, "a recipe and its name come together");
	return 0;
}

static int read_call(struct import *import, sd_bus_message *call, struct error *err)
{
	_cleanup_json_ struct json_object *properties = NULL;
	const char *name, *text;
	int r = sd_bus_message_read(call, "ss", &name, &text);

	if (r >= 0)
		properties = json_read(text, strlen(text), json_type_object);
	if (!properties)
		return error_set(err, -EBADMSG, "ImageImport is not understood");
	r = take_properties(import, name, properties, err);
	if (r < 0)
		return r;
	r = take_files(import, call, json_member(properties, "files", json_type_array));
	if (r < 0)
		return error_set_errno(err, r, "the files to import could not be taken");
	return check_files(import, err);
}

int service_image_import(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct import *import = calloc(1, sizeof(*import));
	struct error err = {0};
	int r;

	(void)ret_error;
	if (!import)
		return -ENOMEM;
	import->service = userdata;
	import->work.disk = import->work.kernel = import->work.initrd = -1;
	import->work.recipe = import->work.log = -1;
	r = read_call(import, call, &err);
	if (r == 0 && (r = import_start(import)) < 0)
		error_set_errno(&err, r, "the import could not be started");
	if (r < 0) {
		import_free(import);
		return bus_reply_with_error(call, &err);
	}
	import->call = sd_bus_message_ref(call);
	return 1;
}
