/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The files of the images, DIRECTORY/NAME/VERSION/...: for start-up and for the one thread that changes images.
 * Everything is put there and taken away by rename, so that a kill at any moment leaves the old or the new.
 */
#ifndef HOST_IMAGE_FILES_H
#define HOST_IMAGE_FILES_H

#include "host/image.h"
#include "host/image_history.h"

/* version: the directory's name, which the manifest has to agree with. 0, -errno or -EBADMSG. */
int image_files_manifest(const char *directory, const char *name, const char *version, struct image *ret);

/* How many whole versions there are, or -errno. */
int image_files_count(const char *directory, const char *name);

/*
 * What was published. Where there is no such file yet (an image that is new, or from before the file was kept) all
 * versions that are there count as published one after the other. -EBADMSG: the file is damaged, nothing is known.
 */
int image_files_history(const char *directory, const char *name, struct image_history *ret);
int image_files_keep_history(const char *directory, const char *name, const struct image_history *history);

/* Makes what was renamed in an image's directory outlast a power failure. */
int image_files_sync(const char *directory, const char *name);

#endif
