/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A directory for images and a small disk to import, for the tests of the host's images. */
#ifndef TESTS_IMAGE_WORLD_H
#define TESTS_IMAGE_WORLD_H

#include "host/image_import.h"

struct world {
	char directory[32], images[64];
	int disk; /* a whole image */
};

int world_setup(void **state);
int world_teardown(void **state);

/* An import of that disk as image "tiny", to be changed. */
struct image_import work_of(const struct world *world);
void import_good(struct world *world, bool publish, uint32_t version);

/* As a host that is started on this directory sees it; 0: none. */
uint32_t published(struct world *world);

unsigned entries(const char *path);
/* Names within the directory of images. */
void put(struct world *world, const char *name, const char *text);
void assert_file(struct world *world, const char *name, const char *text);

/* Runs it in a process with a file system of its own at the directory of images, where root may mount one; "size=1m".
 */
void assert_on_small_disk(struct world *world, const char *size, int (*run)(struct world *world));

#define with_world(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

#endif
