/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Removes versions of an image that image_store_take took. For the thread that image_import_run has too. */
#ifndef HOST_IMAGE_REMOVAL_H
#define HOST_IMAGE_REMOVAL_H

#include "common/error.h"
#include "host/image.h"

struct image_removal {
	const char *directory;      /* of all images */
	char name[IMAGE_NAME_SIZE]; /* of all of them */
	bool all;                   /* and what is kept of the image itself, when nobody put a version there since */
	struct image *images;       /* in: what to remove; then: what is still there. The caller's, as `gone` */
	struct image *gone;
	bool left;          /* files of what is gone could not be removed; image_store_new tries it again */
	uint32_t published; /* then, on disk; 0: none */
};

/* 0, or negative errno with err's text; -EBUSY: it was published in the meantime. */
int image_removal_run(struct image_removal *removal, struct error *err);

/* Frees a list of images. */
void image_list_free(struct image *images);

#endif
