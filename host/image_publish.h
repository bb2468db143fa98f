/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checks one version of an image and makes it the published one. For the thread that image_import_run has too. */
#ifndef HOST_IMAGE_PUBLISH_H
#define HOST_IMAGE_PUBLISH_H

#include "common/error.h"
#include "host/image.h"

#include <stdatomic.h>

struct image_publish {
	const char *directory; /* of all images */
	const char *name;
	uint32_t version;        /* 0: the one that was published before; then the one it was */
	bool check_only;         /* of this version; nothing is published */
	atomic_uint percent;     /* of the check, for whoever watches */
	const struct jobs *jobs; /* ends early when these stop; may be NULL */
};

/*
 * Reads disk, kernel and initrd first and compares their sums with the manifest's. 0, or negative errno with err's
 * text: -ENOENT (no such version, none before), -EUCLEAN (damaged).
 */
int image_publish_run(struct image_publish *publish, struct error *err);

#endif
