/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/image_removal.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "host/image_files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

void image_list_free(struct image *images)
{
	while (images) {
		struct image *next = images->next;

		free(images);
		images = next;
	}
}

/* By rename to a name that means nothing, so that a kill leaves all or nothing; needs no room on a full disk. */
static int put_away(struct image_removal *removal, const char *path)
{
	char from[PATH_MAX], to[PATH_MAX];
	int r = fs_path(from, sizeof(from), "%s/%s", removal->directory, path);

	if (r == 0)
		r = fs_path(to, sizeof(to), "%s/.removed", removal->directory);
	/* What another removal could not. */
	if (r == 0)
		r = fs_remove_tree(to);
	if (r == 0 && rename(from, to) < 0)
		r = -errno;
	if (r == 0 && fs_remove_tree(to) < 0)
		removal->left = true;
	return r;
}

static int remove_first(struct image_removal *removal)
{
	struct image *image = removal->images;
	char path[64];
	int r = fs_path(path, sizeof(path), "%s/%u", image->name, image->version);

	if (r == 0)
		r = put_away(removal, path);
	if (r < 0)
		return r;
	removal->images = image->next;
	image->next = removal->gone;
	removal->gone = image;
	return 0;
}

/* Numbers begin at 1 again only where nothing of the image is left. */
static int remove_home(struct image_removal *removal)
{
	int versions = image_files_count(removal->directory, removal->name);

	if (versions != 0)
		return versions < 0 ? versions : 0;
	return put_away(removal, removal->name);
}

static int check_published(struct image_removal *removal, struct error *err)
{
	struct image_history history = {0};
	int versions = image_files_count(removal->directory, removal->name);
	int r = image_files_history(removal->directory, removal->name, &history);

	if (versions < 0 || (r < 0 && r != -EBADMSG))
		return error_set_errno(err, versions < 0 ? versions : r, "image %s cannot be read", removal->name);
	removal->published = image_history_published(&history);
	if (removal->all || versions < 2 || removal->images->version != removal->published)
		return 0;
	return error_set(err, -EBUSY, "image %s:%u was published in this moment: publish another version first",
			 removal->name, removal->published);
}

int image_removal_run(struct image_removal *removal, struct error *err)
{
	int r = check_published(removal, err);

	if (r < 0)
		return r;
	while (r == 0 && removal->images)
		r = remove_first(removal);
	if (r == 0 && removal->all)
		r = remove_home(removal);
	return r < 0 ? error_set_errno(err, r, "image %s cannot be deleted", removal->name) : 0;
}
