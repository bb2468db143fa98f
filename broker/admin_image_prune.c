/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * image prune: deletes the versions that nobody needs, one after the other. What is planned and what came of it is the
 * reply's list, call->work: {"version", "size", "why"}; "why" is the reason to keep it, and is missing until it is
 * known or where it was deleted.
 */
#include "broker/admin_image.h"

#include "broker/admin_json.h"

#include <errno.h>
#include <string.h>

#define KEEP_DEFAULT 3

static size_t keep_of(const struct admin_call *call)
{
	const char *keep = admin_argument(call, "keep");

	return keep ? strtoul(keep, NULL, 10) : KEEP_DEFAULT;
}

static bool is_set(struct json_object *image, const char *key)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(image, key, &value) && json_object_get_boolean(value);
}

/* "": nothing speaks for it. newer: how many versions are newer. */
static int reason_to_keep(struct admin_call *call, struct json_object *image, size_t newer, char *ret, size_t size,
			  struct error *err)
{
	char id[HOST_DESKTOP_ID_MAX];
	int r = image_user(call, admin_argument(call, "name"), image_version_of(image), id, sizeof(id), err);

	if (r < 0)
		return r;
	ret[0] = '\0';
	if (is_set(image, "published"))
		snprintf(ret, size, "it is published");
	else if (id[0])
		snprintf(ret, size, "desktop %s uses it", id);
	else if (is_set(image, "in_use"))
		snprintf(ret, size, "a desktop uses it");
	else if (newer < keep_of(call))
		snprintf(ret, size, "it is one of the newest %zu", keep_of(call));
	return 0;
}

/* versions: the host's, oldest first. */
static int make_plan(struct admin_call *call, struct json_object *versions, struct error *err)
{
	size_t n = json_object_array_length(versions);

	call->work = json_object_new_array();
	for (size_t i = 0; call->work && i < n; i++) {
		struct json_object *image = json_object_array_get_idx(versions, i), *size = NULL;
		struct json_object *row = json_object_new_object();
		char why[128];
		int r = reason_to_keep(call, image, n - 1 - i, why, sizeof(why), err);

		if (!row || r < 0) {
			json_object_put(row);
			return r < 0 ? r : error_set(err, -ENOMEM, "out of memory");
		}
		json_add_number(row, "version", image_version_of(image));
		if (json_object_object_get_ex(image, "size", &size))
			json_add(row, "size", json_object_get(size));
		if (why[0])
			json_add_text(row, "why", why);
		json_append(call->work, row);
	}
	return call->work ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static void tell_row(const char *name, struct json_object *row, FILE *text, struct json_object *deleted,
		     struct json_object *kept)
{
	const char *why = admin_string(row, "why");

	if (why) {
		fprintf(text, "kept %s:%u: %s\n", name, image_version_of(row), why);
		json_append(kept, json_object_get(row));
	} else {
		fprintf(text, "deleted %s:%u\n", name, image_version_of(row));
		json_append(deleted, json_object_new_int64(image_version_of(row)));
	}
}

static struct json_object *report(struct admin_call *call)
{
	struct json_object *reply = json_object_new_object(), *deleted = json_object_new_array();
	struct json_object *kept = json_object_new_array();
	const char *name = admin_argument(call, "name");
	_cleanup_free_ char *message = NULL;
	size_t size = 0, n = json_object_array_length(call->work);
	FILE *text = open_memstream(&message, &size);

	if (!reply || !deleted || !kept || !text) {
		json_object_put(reply);
		json_object_put(deleted);
		json_object_put(kept);
		if (text)
			fclose(text);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		tell_row(name, json_object_array_get_idx(call->work, i), text, deleted, kept);
	if (json_object_array_length(deleted) == 0)
		fprintf(text, "nothing was deleted\n");
	fclose(text);
	/* Its lines, without the last one's end. */
	if (message && size > 0)
		message[size - 1] = '\0';
	json_add_text(reply, "name", name);
	json_add(reply, "deleted", deleted);
	json_add(reply, "kept", kept);
	json_add_text(reply, "message", message ? message : "");
	return reply;
}

static void go_on(struct admin_call *call);

static struct json_object *current(const struct admin_call *call)
{
	return json_object_array_get_idx(call->work, call->step);
}

static void deleted(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct admin_call *call = userdata;

	(void)json;
	(void)fd;
	/* Such as a desktop that was made in the meantime. */
	if (r < 0)
		json_add_text(current(call), "why", err->text);
	else
		admin_note(call, "", "", "pruned image %s:%u", admin_argument(call, "name"),
			   image_version_of(current(call)));
	call->step++;
	go_on(call);
}

/* The next one that has to go, or the end. */
static void go_on(struct admin_call *call)
{
	struct error err = {0};
	int r;

	while (call->step < json_object_array_length(call->work) && admin_given(current(call), "why"))
		call->step++;
	if (call->step == json_object_array_length(call->work)) {
		admin_reply(call, report(call));
		return;
	}
	r = host_client_image_delete(broker_host(call->broker), admin_argument(call, "name"),
				     image_version_of(current(call)), deleted, call);
	if (r < 0) {
		admin_host_error(r, &err);
		admin_fail(call, &err);
	}
}

static void listed(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct admin_call *call = userdata;
	_cleanup_(json_putp) struct json_object *versions = NULL;
	struct error refused = {0};

	(void)fd;
	if (r < 0) {
		admin_fail(call, err);
		return;
	}
	versions = image_versions(json, admin_argument(call, "name"));
	r = versions ? make_plan(call, versions, &refused) : image_none(admin_argument(call, "name"), &refused);
	if (r < 0)
		admin_fail(call, &refused);
	else
		go_on(call);
}

int admin_image_prune(struct admin_call *call, struct error *err)
{
	return image_ask_list(call, listed, err);
}
