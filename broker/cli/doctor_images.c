/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether the golden images are those that were imported, by `hotdesk image verify`. */
#include "broker/admin_json.h"
#include "broker/cli/doctor.h"
#include "broker/cli/request.h"
#include "common/cleanup.h"

#include <errno.h>

static struct json_object *list_images(struct doctor *doctor)
{
	_cleanup_(json_putp) struct json_object *arguments = json_object_new_object();
	_cleanup_free_ char *reply = NULL;
	struct error err = {0};

	if (request_run(doctor->conf, admin_find("image", "list"), arguments, &reply, &err) == 0)
		return json_tokener_parse(reply);
	findings_add(doctor->findings, FINDING_PROBLEM, "images", NULL, "%s", err.text);
	return NULL;
}

static void verify(struct doctor *doctor, const char *version, bool published)
{
	_cleanup_(json_putp) struct json_object *arguments = json_object_new_object();
	_cleanup_free_ char *reply = NULL;
	struct error err = {0};
	char todo[256];

	json_add_text(arguments, "name", version);
	if (request_run(doctor->conf, admin_find("image", "verify"), arguments, &reply, &err) == 0) {
		findings_add(doctor->findings, FINDING_OK, "images", NULL, "%s is as it was imported", version);
		return;
	}
	snprintf(todo, sizeof(todo),
		 published ? "publish another version of it (`hotdesk image publish`), then `hotdesk image delete %s`"
			   : "`hotdesk image delete %s`",
		 version);
	findings_add(doctor->findings, FINDING_PROBLEM, "images", err.code == -EINTR ? NULL : todo, "%s", err.text);
}

void doctor_images(struct doctor *doctor, bool all)
{
	_cleanup_(json_putp) struct json_object *images = NULL;
	size_t n, looked = 0;

	if (!doctor->host) {
		findings_add(doctor->findings, FINDING_NOTE, "images", NULL,
			     "not looked at: that needs hotdesk-broker and hotdesk-host to answer");
		return;
	}
	images = list_images(doctor);
	n = json_object_is_type(images, json_type_array) ? json_object_array_length(images) : 0;
	for (size_t i = 0; i < n; i++) {
		struct json_object *row = json_object_array_get_idx(images, i), *name = NULL, *number = NULL,
				   *there = NULL;
		bool published;
		char version[128];

		json_object_object_get_ex(row, "name", &name);
		json_object_object_get_ex(row, "version", &number);
		json_object_object_get_ex(row, "published", &there);
		published = json_object_get_boolean(there);
		if (!published && !all)
			continue;
		snprintf(version, sizeof(version), "%s:%s", json_object_get_string(name),
			 json_object_get_string(number));
		verify(doctor, version, published);
		looked++;
	}
	if (images && looked == 0)
		findings_add(doctor->findings, FINDING_NOTE, "images",
			     "hotdesk image build NAME, or hotdesk image import NAME FILE", "no image is published");
}
