/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Copies a foreign image in: checked, hashed while it is copied, and there as a whole (by rename) or not at all. For
 * one worker thread: two at once could choose the same version.
 */
#ifndef HOST_IMAGE_IMPORT_H
#define HOST_IMAGE_IMPORT_H

#include "common/error.h"
#include "host/image.h"

#include <stdatomic.h>
#include <stdint.h>

struct image_import {
	const char *directory; /* of all images */
	const char *name, *append;
	int disk, kernel, initrd; /* kernel and initrd: both or -1 */
	int recipe, log;          /* kept as `recipe` and build.log; -1: none */
	const char *recipe_name;  /* where there is a recipe */
	bool publish;
	uint64_t left;           /* bytes still to be copied; image_import_run's own */
	atomic_uint percent;     /* of the copy, for whoever watches */
	const struct jobs *jobs; /* ends early when these stop; may be NULL */
	struct image *result;    /* the caller's (free) */
};

/*
 * 0, or negative errno with err's text for the person who imports. A result in spite of an error: the version is there,
 * but could not be published.
 */
int image_import_run(struct image_import *import, struct error *err);

#endif
