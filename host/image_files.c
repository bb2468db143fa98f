/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/image_files.h"

#include "common/cleanup.h"
#include "common/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

static void dir_closep(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

int image_files_manifest(const char *directory, const char *name, const char *version, struct image *ret)
{
	_cleanup_free_ char *text = NULL;
	struct image image = {0};
	char path[PATH_MAX], number[16];
	size_t size = 0;
	int r = fs_path(path, sizeof(path), "%s/%s/%s/manifest.json", directory, name, version);

	if (r == 0)
		r = fs_read_file(path, IMAGE_MANIFEST_MAX, &text, &size);
	if (r == 0)
		r = image_manifest_parse(text, size, &image);
	if (r < 0)
		return r;
	snprintf(number, sizeof(number), "%u", image.version);
	if (strcmp(image.name, name) != 0 || strcmp(number, version) != 0)
		return -EBADMSG;
	*ret = image;
	return 0;
}

/* Keeps the history sorted; the smallest go when it is full. */
static void insert(struct image_history *history, uint32_t version)
{
	size_t at;

	if (history->n == IMAGE_HISTORY_MAX && version < history->versions[0])
		return;
	if (history->n == IMAGE_HISTORY_MAX)
		image_history_forget(history, history->versions[0]);
	for (at = history->n; at > 0 && history->versions[at - 1] > version; at--)
		history->versions[at] = history->versions[at - 1];
	history->versions[at] = version;
	history->n++;
}

/* Calls fn for each whole version. 0 or -errno; a directory that is not there has none. */
static int each_version(const char *directory, const char *name, void (*fn)(uint32_t version, void *data), void *data)
{
	_cleanup_(dir_closep) DIR *home = NULL;
	const struct dirent *entry;
	char path[PATH_MAX];
	int r = fs_path(path, sizeof(path), "%s/%s", directory, name);

	if (r < 0)
		return r;
	home = opendir(path);
	if (!home)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(home))) {
		struct image image;

		if (image_files_manifest(directory, name, entry->d_name, &image) == 0)
			fn(image.version, data);
	}
	return 0;
}

static void add_version(uint32_t version, void *data)
{
	insert(data, version);
}

static int all_versions(const char *directory, const char *name, struct image_history *ret)
{
	struct image_history history = {0};
	int r = each_version(directory, name, add_version, &history);

	if (r == 0)
		*ret = history;
	return r;
}

static void count_version(uint32_t version, void *data)
{
	(void)version;
	++*(int *)data;
}

int image_files_count(const char *directory, const char *name)
{
	int n = 0, r = each_version(directory, name, count_version, &n);

	return r < 0 ? r : n;
}

int image_files_history(const char *directory, const char *name, struct image_history *ret)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t size = 0;
	int r = fs_path(path, sizeof(path), "%s/%s/published", directory, name);

	if (r == 0)
		r = fs_read_file(path, IMAGE_HISTORY_TEXT_SIZE, &text, &size);
	if (r == -ENOENT)
		return all_versions(directory, name, ret);
	if (r == -EFBIG || (r == 0 && strlen(text) != size))
		return -EBADMSG;
	return r < 0 ? r : image_history_parse(text, ret);
}

int image_files_keep_history(const char *directory, const char *name, const struct image_history *history)
{
	char path[PATH_MAX], text[IMAGE_HISTORY_TEXT_SIZE];
	int r = fs_path(path, sizeof(path), "%s/%s/published", directory, name);

	image_history_format(history, text);
	return r < 0 ? r : fs_write_atomic(path, text, strlen(text), 0644);
}

int image_files_sync(const char *directory, const char *name)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int r = fs_path(path, sizeof(path), "%s/%s", directory, name);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}
