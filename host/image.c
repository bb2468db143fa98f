/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/image.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "host/host_api.h"
#include "host/json.h"
#include "host/qcow2_format.h"

#include <errno.h>
#include <string.h>

#define WORD_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789-"

bool image_name_valid(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length < IMAGE_NAME_SIZE && strspn(name, WORD_LETTERS) == length && name[0] != '-';
}

bool desktop_id_valid(const char *id)
{
	size_t length = strlen(id);

	return length > 0 && length < HOST_DESKTOP_ID_MAX && strspn(id, WORD_LETTERS) == length;
}

bool image_append_valid(const char *append)
{
	size_t length = strlen(append);

	for (size_t i = 0; i < length; i++)
		if (append[i] < ' ' || append[i] > '~')
			return false;
	return length < IMAGE_APPEND_SIZE;
}

bool image_recipe_name_valid(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < length; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == '\x7f')
			return false;
	return length < IMAGE_RECIPE_NAME_SIZE;
}

char *image_manifest(const struct image *image)
{
	_cleanup_json_ struct json_object *object = json_object_new_object();
	const char *text;
	bool good = true;
	char *copy;

	json_put(object, "name", json_object_new_string(image->name), &good);
	json_put(object, "version", json_object_new_int64(image->version), &good);
	json_put(object, "created", json_object_new_string(image->created), &good);
	json_put(object, "size", json_object_new_int64((int64_t)image->size), &good);
	json_put(object, "virtual_size", json_object_new_int64((int64_t)image->virtual_size), &good);
	json_put(object, "sha256", json_object_new_string(image->sha256), &good);
	if (image->direct_boot) {
		json_put(object, "kernel_sha256", json_object_new_string(image->kernel_sha256), &good);
		json_put(object, "initrd_sha256", json_object_new_string(image->initrd_sha256), &good);
	}
	json_put(object, "direct_boot", json_object_new_boolean(image->direct_boot), &good);
	json_put(object, "append", json_object_new_string(image->append), &good);
	json_put(object, "recipe_name", json_object_new_string(image->recipe_name), &good);
	json_put(object, "log", json_object_new_boolean(image->log), &good);
	text = good ? json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)
		    : NULL;
	return text && asprintf(&copy, "%s\n", text) >= 0 ? copy : NULL;
}

static int take_text(struct json_object *object, const char *key, char *ret, size_t size)
{
	const char *text = json_text(object, key);

	return text && fs_path(ret, size, "%s", text) == 0 ? 0 : -EBADMSG;
}

/* What manifests of the first release have not. */
static int take_later(struct json_object *object, const char *key, char *ret, size_t size)
{
	return json_text(object, key) ? take_text(object, key, ret, size) : 0;
}

int image_manifest_parse(const char *text, size_t size, struct image *ret)
{
	_cleanup_json_ struct json_object *object = json_read(text, size, json_type_object);
	struct image image = {0};
	int64_t bytes = json_number(object, "size", -1), disk = json_number(object, "virtual_size", -1);
	int64_t version = json_number(object, "version", 0);

	if (bytes <= 0 || disk <= 0 || (uint64_t)disk > QCOW2_MAX_VIRTUAL_SIZE || version < 1 || version > UINT32_MAX ||
	    take_text(object, "name", image.name, sizeof(image.name)) < 0 || !image_name_valid(image.name) ||
	    take_text(object, "sha256", image.sha256, sizeof(image.sha256)) < 0 ||
	    take_text(object, "created", image.created, sizeof(image.created)) < 0 ||
	    take_text(object, "append", image.append, sizeof(image.append)) < 0 || !image_append_valid(image.append) ||
	    take_later(object, "kernel_sha256", image.kernel_sha256, sizeof(image.kernel_sha256)) < 0 ||
	    take_later(object, "initrd_sha256", image.initrd_sha256, sizeof(image.initrd_sha256)) < 0 ||
	    take_later(object, "recipe_name", image.recipe_name, sizeof(image.recipe_name)) < 0 ||
	    !image_recipe_name_valid(image.recipe_name))
		return -EBADMSG;
	image.version = (uint32_t)version;
	image.size = (uint64_t)bytes;
	image.virtual_size = (uint64_t)disk;
	image.direct_boot = json_flag(object, "direct_boot");
	image.log = json_flag(object, "log");
	*ret = image;
	return 0;
}
