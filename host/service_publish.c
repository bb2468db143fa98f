/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ImagePublish, ImageRollback and ImageVerify. */
#include "host/service_internal.h"

#include "common/log.h"
#include "host/image_publish.h"

#include <errno.h>
#include <stdlib.h>

struct publish {
	struct service *service;
	sd_bus_message *call;
	struct progress progress;
	char name[IMAGE_NAME_SIZE];
	struct image_publish work;
};

static void publish_free(struct publish *publish)
{
	progress_stop(&publish->progress);
	sd_bus_message_unref(publish->call);
	free(publish);
}

static int publish_work(void *data, struct error *err)
{
	return image_publish_run(&((struct publish *)data)->work, err);
}

static void publish_done(int r, const struct error *err, void *data)
{
	struct publish *publish = data;
	uint32_t version = publish->work.version;

	if (r < 0) {
		log_warning("image %s was not %s: %s", publish->name,
			    publish->work.check_only ? "verified" : "published", err->text);
		bus_reply_with_error(publish->call, err);
	} else {
		if (!publish->work.check_only) {
			log_notice("image %s:%u is published", publish->name, version);
			image_store_publish(publish->service->images, publish->name, version);
		}
		progress_tell(&publish->progress);
		sd_bus_reply_method_return(publish->call, "u", version);
	}
	publish_free(publish);
}

static int publish_start(struct service *service, sd_bus_message *call, const char *name, uint32_t version,
			 bool check_only)
{
	struct publish *publish = calloc(1, sizeof(*publish));
	int r;

	if (!publish)
		return -ENOMEM;
	publish->service = service;
	publish->call = sd_bus_message_ref(call);
	snprintf(publish->name, sizeof(publish->name), "%s", name);
	publish->work.directory = image_store_directory(service->images);
	publish->work.name = publish->name;
	publish->work.version = version;
	publish->work.check_only = check_only;
	publish->work.jobs = service->image_jobs;
	r = progress_start(&publish->progress, service, publish->name, &publish->work.percent);
	if (r == 0)
		r = jobs_start(service->image_jobs, publish_work, publish_done, publish);
	if (r < 0)
		publish_free(publish);
	return r < 0 ? r : 1;
}

/* What a person has mistyped is said at once; whether it can be done is seen by the worker. */
static int refuse_unknown(const struct service *service, const char *name, uint32_t version, struct error *err)
{
	if (!image_store_newest(service->images, name))
		return error_set(err, -ENOENT, "there is no image %s; `hotdesk image list` shows those that are there",
				 name);
	if (version != 0 && !image_store_find(service->images, name, version))
		return error_set(err, -ENOENT, "image %s has no version %u; `hotdesk image show %s` shows them", name,
				 version, name);
	return 0;
}

static int publish_or_refuse(sd_bus_message *call, struct service *service, const char *name, uint32_t version,
			     bool check_only)
{
	struct error err = {0};
	int r = refuse_unknown(service, name, version, &err);

	return r < 0 ? bus_reply_with_error(call, &err) : publish_start(service, call, name, version, check_only);
}

static int with_version(sd_bus_message *call, struct service *service, bool check_only)
{
	const char *name;
	uint32_t version;
	int r = sd_bus_message_read(call, "su", &name, &version);

	if (r < 0 || version == 0)
		return r < 0 ? r : -EINVAL;
	return publish_or_refuse(call, service, name, version, check_only);
}

int service_image_publish(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	return with_version(call, userdata, false);
}

int service_image_verify(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	return with_version(call, userdata, true);
}

int service_image_rollback(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	const char *name;
	int r = sd_bus_message_read(call, "s", &name);

	(void)ret_error;
	return r < 0 ? r : publish_or_refuse(call, userdata, name, 0, false);
}
