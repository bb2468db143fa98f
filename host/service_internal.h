/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared by service.c (life, signals, the desktops' methods) and the images' methods in service_i*.c and service_p*.c.
 */
#ifndef HOST_SERVICE_INTERNAL_H
#define HOST_SERVICE_INTERNAL_H

#include "common/bus.h"
#include "host/desktops.h"
#include "host/facts.h"
#include "host/service.h"

#include <stdatomic.h>

struct service {
	sd_event *event;
	const struct conf *conf;
	uid_t broker_uid;
	struct vm_env env;
	struct image_store *images;
	struct jobs *image_jobs; /* one thread: what changes images */
	struct desktops *desktops;
	struct bus_server *bus;
	char qemu_version[FACTS_VERSION_SIZE];
};

/* Emits a signal of the interface on each connection. */
void service_signal(struct service *service, const char *name, const char *types, ...);
int service_reply_json(sd_bus_message *call, struct json_object *json);

/* ImageProgress while a worker reads or copies an image: *percent, whenever it has changed. */
struct progress {
	struct service *service;
	sd_event_source *timer;
	const char *name;
	const atomic_uint *percent;
	unsigned told;
};

/* name and percent are kept. 0 or -errno. */
int progress_start(struct progress *progress, struct service *service, const char *name, const atomic_uint *percent);
void progress_tell(struct progress *progress);
/* Also of one that was not started. */
void progress_stop(struct progress *progress);

int service_image_import(sd_bus_message *call, void *userdata, sd_bus_error *ret_error);
int service_image_list(sd_bus_message *call, void *userdata, sd_bus_error *ret_error);
int service_image_publish(sd_bus_message *call, void *userdata, sd_bus_error *ret_error);
int service_image_rollback(sd_bus_message *call, void *userdata, sd_bus_error *ret_error);
int service_image_verify(sd_bus_message *call, void *userdata, sd_bus_error *ret_error);
int service_image_open(sd_bus_message *call, void *userdata, sd_bus_error *ret_error);
int service_image_delete(sd_bus_message *call, void *userdata, sd_bus_error *ret_error);

#endif
