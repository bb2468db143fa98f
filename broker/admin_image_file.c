/* SPDX-License-Identifier: GPL-3.0-or-later */
/* image recipe and log: files of the host's, given on to who asked. */
#include "broker/admin_image.h"

#include "broker/admin_json.h"

static void opened(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	_cleanup_close_ int file = fd;
	struct admin_call *call = userdata;
	char name[STORE_NAME_SIZE];
	struct json_object *reply;
	uint32_t version;

	if (r < 0) {
		admin_fail(call, err);
		return;
	}
	image_split(admin_argument(call, "name"), name, &version);
	reply = json_object_new_object();
	if (reply) {
		json_add_text(reply, "name", name);
		json_add_number(reply, "version", image_version_of(json));
	}
	admin_reply_file(call, reply, file);
}

static int open_file(struct admin_call *call, const char *what, struct error *err)
{
	char name[STORE_NAME_SIZE];
	uint32_t version;
	int r;

	image_split(admin_argument(call, "name"), name, &version);
	r = host_client_image_open(broker_host(call->broker), name, version, what, opened, call);
	return r < 0 ? admin_host_error(r, err) : 0;
}

int admin_image_recipe(struct admin_call *call, struct error *err)
{
	return open_file(call, "recipe", err);
}

int admin_image_log(struct admin_call *call, struct error *err)
{
	return open_file(call, "log", err);
}
