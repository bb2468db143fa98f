/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The golden images on this machine: STATE_DIR/host/images/NAME/VERSION/{disk.qcow2,vmlinux,initrd,recipe,build.log,
 * manifest.json}, each version immutable, and NAME/published (image_history.h). The list is kept in memory: asking
 * never touches the disk.
 */
#ifndef HOST_IMAGE_STORE_H
#define HOST_IMAGE_STORE_H

#include "common/error.h"
#include "host/image.h"

struct image_store;

/*
 * Makes the directory where it is missing and reads all manifests; what a killed import or delete left is removed. What
 * is not understood is logged and left alone.
 */
int image_store_new(const char *directory, struct image_store **ret, struct error *err);
void image_store_free(struct image_store *store);

const char *image_store_directory(const struct image_store *store);

/* version 0: the published one. NULL: there is none. Borrowed. */
const struct image *image_store_find(const struct image_store *store, const char *name, uint32_t version);
/* The one with the highest number; NULL: there is none. Borrowed. */
const struct image *image_store_newest(const struct image_store *store, const char *name);
/* Published while there are others: one of those has to be published before this one can go. */
bool image_store_is_kept(const struct image_store *store, const char *name, uint32_t version);
/* All images, by name and version. Borrowed. */
const struct image *image_store_first(const struct image_store *store);

/* Takes over an image that image_import_run put there; where it is published, no other one is from now on. */
void image_store_add(struct image_store *store, struct image *image);

/* Notes which version is published on disk; one that is not there: none. */
void image_store_publish(struct image_store *store, const char *name, uint32_t version);

/* Takes one version (0: all) off the list, the caller's from now on; NULL: there is none. */
struct image *image_store_take(struct image_store *store, const char *name, uint32_t version);

#endif
