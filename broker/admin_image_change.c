/* SPDX-License-Identifier: GPL-3.0-or-later */
/* image publish, rollback, verify and delete. */
#include "broker/admin_image.h"

#include "broker/admin_json.h"

#include <errno.h>
#include <string.h>

static void publish_done(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct admin_call *call = userdata;
	char name[STORE_NAME_SIZE], text[160];
	struct json_object *reply;
	uint32_t version;

	(void)fd;
	if (r < 0) {
		admin_fail(call, err);
		return;
	}
	image_split(admin_argument(call, "name"), name, &version);
	version = image_version_of(json);
	admin_note(call, "", "", "published image %s:%u", name, version);
	/* Spares that failed as nothing was published can be made now. */
	broker_pools_changed(call->broker);
	reply = json_object_new_object();
	if (reply) {
		snprintf(text, sizeof(text),
			 "image %s:%u is published; new desktops use it, those that are there keep their version", name,
			 version);
		json_add_text(reply, "name", name);
		json_add_number(reply, "version", version);
		json_add_text(reply, "message", text);
	}
	admin_reply(call, reply);
}

typedef int (*ask_fn)(struct host_client *host, const char *name, uint32_t version, host_done_fn done, void *userdata);

static int ask_version(struct admin_call *call, ask_fn ask, host_done_fn done, struct error *err)
{
	char name[STORE_NAME_SIZE];
	uint32_t version;
	int r;

	image_split(admin_argument(call, "name"), name, &version);
	r = ask(broker_host(call->broker), name, version, done, call);
	return r < 0 ? admin_host_error(r, err) : 0;
}

int admin_image_publish(struct admin_call *call, struct error *err)
{
	return ask_version(call, host_client_image_publish, publish_done, err);
}

int admin_image_rollback(struct admin_call *call, struct error *err)
{
	int r = host_client_image_rollback(broker_host(call->broker), admin_argument(call, "name"), publish_done, call);

	return r < 0 ? admin_host_error(r, err) : 0;
}

static void verify_done(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct admin_call *call = userdata;

	(void)json;
	(void)fd;
	if (r < 0)
		admin_fail(call, err);
	else
		admin_reply_text(call, "image %s is as it was imported", admin_argument(call, "name"));
}

int admin_image_verify(struct admin_call *call, struct error *err)
{
	return ask_version(call, host_client_image_verify, verify_done, err);
}

static void delete_done(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct admin_call *call = userdata;

	(void)json;
	(void)fd;
	if (r < 0) {
		admin_fail(call, err);
		return;
	}
	admin_note(call, "", "", "deleted image %s", admin_argument(call, "name"));
	admin_reply_text(call, "image %s is deleted", admin_argument(call, "name"));
}

static int refuse_version_in_use(struct admin_call *call, const char *name, uint32_t version, struct error *err)
{
	char id[HOST_DESKTOP_ID_MAX];
	int r = image_user(call, name, version, id, sizeof(id), err);

	if (r < 0 || !id[0])
		return r;
	return error_set(err, -EBUSY,
			 "image %s:%u is in use by desktop %s: delete that first (`hotdesk desktop delete %s --yes`)",
			 name, version, id, id);
}

static int refuse_in_use(struct admin_call *call, const char *name, uint32_t version, struct json_object *versions,
			 struct error *err)
{
	char who[128] = "";
	size_t n = json_object_array_length(versions);
	bool found = version == 0;

	for (size_t i = 0; i < n; i++)
		found |= image_version_of(json_object_array_get_idx(versions, i)) == version;
	if (!found)
		return error_set(err, -ENOENT, "image %s has no version %u; `hotdesk image show %s` shows them", name,
				 version, name);
	if (version > 0 && n > 1)
		return refuse_version_in_use(call, name, version, err);
	if (broker_image_in_use(call->broker, name, who, sizeof(who)))
		return error_set(err, -EBUSY,
				 "image %s is in use by %s: give the pool another image (`hotdesk pool set`) or delete "
				 "what uses it first",
				 name, who);
	return 0;
}

static void delete_listed(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct admin_call *call = userdata;
	_cleanup_(json_putp) struct json_object *versions = NULL;
	struct error refused = {0};
	char name[STORE_NAME_SIZE];
	uint32_t version = 0;

	(void)fd;
	if (r < 0) {
		admin_fail(call, err);
		return;
	}
	image_split(admin_argument(call, "name"), name, &version);
	versions = image_versions(json, name);
	r = versions ? refuse_in_use(call, name, version, versions, &refused) : image_none(name, &refused);
	if (r == 0) {
		r = host_client_image_delete(broker_host(call->broker), name, version, delete_done, call);
		if (r < 0)
			admin_host_error(r, &refused);
	}
	if (r < 0)
		admin_fail(call, &refused);
}

int admin_image_delete(struct admin_call *call, struct error *err)
{
	return image_ask_list(call, delete_listed, err);
}
