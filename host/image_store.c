/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/image_store.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "host/image_files.h"
#include "host/image_removal.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

struct image_store {
	char directory[PATH_MAX];
	struct image *images; /* by name, then version */
};

static void dir_closep(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

const char *image_store_directory(const struct image_store *store)
{
	return store->directory;
}

const struct image *image_store_first(const struct image_store *store)
{
	return store->images;
}

const struct image *image_store_find(const struct image_store *store, const char *name, uint32_t version)
{
	for (const struct image *at = store->images; at; at = at->next)
		if (strcmp(at->name, name) == 0 && (version == 0 ? at->published : at->version == version))
			return at;
	return NULL;
}

const struct image *image_store_newest(const struct image_store *store, const char *name)
{
	const struct image *newest = NULL;

	for (const struct image *at = store->images; at; at = at->next)
		if (strcmp(at->name, name) == 0)
			newest = at;
	return newest;
}

bool image_store_is_kept(const struct image_store *store, const char *name, uint32_t version)
{
	const struct image *image = image_store_find(store, name, version);
	bool others = false;

	for (const struct image *at = store->images; at; at = at->next)
		others |= at != image && strcmp(at->name, name) == 0;
	return image && image->published && others;
}

void image_store_publish(struct image_store *store, const char *name, uint32_t version)
{
	for (struct image *at = store->images; at; at = at->next)
		if (strcmp(at->name, name) == 0)
			at->published = at->version == version;
}

static int compare(const struct image *a, const struct image *b)
{
	int order = strcmp(a->name, b->name);

	return order != 0 ? order : (a->version > b->version) - (a->version < b->version);
}

void image_store_add(struct image_store *store, struct image *image)
{
	struct image **at = &store->images;

	while (*at && compare(*at, image) < 0)
		at = &(*at)->next;
	image->next = *at;
	*at = image;
	if (image->published)
		image_store_publish(store, image->name, image->version);
}

/* Directories of unfinished or removed images begin with a dot; fs_write_atomic's files have .new. in them. */
static void remove_leftover(const struct image_store *store, const char *in, const char *name)
{
	char path[PATH_MAX];

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	if (fs_path(path, sizeof(path), "%s/%s/%s", store->directory, in, name) < 0 || fs_remove_tree(path) < 0)
		log_warning("cannot remove what is left of an image: %s/%s/%s", store->directory, in, name);
}

static int load_version(struct image_store *store, const char *name, const char *version)
{
	struct image *image = calloc(1, sizeof(*image));
	int r;

	if (!image)
		return -ENOMEM;
	r = image_files_manifest(store->directory, name, version, image);
	if (r < 0)
		free(image);
	else
		image_store_add(store, image);
	return r;
}

static void load_published(struct image_store *store, const char *name)
{
	struct image_history history = {0};
	uint32_t version;
	int r = image_files_history(store->directory, name, &history);

	if (r < 0) {
		log_warning("which version of image %s is published cannot be read, so none is: `hotdesk image publish "
			    "%s:VERSION`: %s",
			    name, name, strerror(-r));
		return;
	}
	version = image_history_published(&history);
	if (version != 0 && !image_store_find(store, name, version))
		log_warning("version %u of image %s is published, but it is not there", version, name);
	image_store_publish(store, name, version);
}

static void load_name(struct image_store *store, const char *name)
{
	_cleanup_(dir_closep) DIR *directory = NULL;
	struct dirent *entry;
	char path[PATH_MAX];

	if (!image_name_valid(name) || fs_path(path, sizeof(path), "%s/%s", store->directory, name) < 0)
		return;
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		int r;

		if (strstr(entry->d_name, ".new."))
			remove_leftover(store, name, entry->d_name);
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		r = load_version(store, name, entry->d_name);
		if (r < 0)
			log_warning("image %s/%s is left alone, its manifest cannot be read: %s", path, entry->d_name,
				    strerror(-r));
	}
	load_published(store, name);
}

int image_store_new(const char *directory, struct image_store **ret, struct error *err)
{
	struct image_store *store = calloc(1, sizeof(*store));
	_cleanup_(dir_closep) DIR *dir = NULL;
	struct dirent *entry;
	int r;

	if (!store)
		return error_set(err, -ENOMEM, "out of memory");
	r = fs_path(store->directory, sizeof(store->directory), "%s", directory);
	if (r == 0)
		r = fs_mkdir_p(directory, 0700);
	if (r == 0 && !(dir = opendir(directory)))
		r = -errno;
	if (r < 0) {
		image_store_free(store);
		return error_set_errno(err, r, "cannot read the images in %s", directory);
	}
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			remove_leftover(store, ".", entry->d_name);
		else
			load_name(store, entry->d_name);
	}
	*ret = store;
	return 0;
}

void image_store_free(struct image_store *store)
{
	if (!store)
		return;
	image_list_free(store->images);
	free(store);
}

struct image *image_store_take(struct image_store *store, const char *name, uint32_t version)
{
	struct image *taken = NULL;

	for (struct image **at = &store->images; *at;) {
		struct image *image = *at;

		if (strcmp(image->name, name) != 0 || (version != 0 && image->version != version)) {
			at = &image->next;
			continue;
		}
		*at = image->next;
		image->next = taken;
		taken = image;
	}
	return taken;
}
