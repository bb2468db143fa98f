/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "host/image_store.h"
#include "tests/unit/image_world.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int import(struct world *world, int disk, int kernel, int initrd, struct image **ret, struct error *err)
{
	struct image_import work = work_of(world);
	int r;

	work.disk = disk;
	work.kernel = kernel;
	work.initrd = initrd;
	r = image_import_run(&work, err);
	*ret = work.result;
	return r;
}

static void versions_count_up_and_an_import_publishes(void **state)
{
	struct world *world = *state;
	struct image_store *store = NULL;
	struct error err = {0};

	for (uint32_t i = 1; i <= 3; i++)
		import_good(world, true, i);
	assert_int_equal(image_store_new(world->images, &store, &err), 0);
	assert_int_equal(image_store_find(store, "tiny", 0)->version, 3);
	assert_int_equal(image_store_find(store, "tiny", 2)->version, 2);
	assert_null(image_store_find(store, "other", 0));
	image_store_free(store);
	assert_file(world, "tiny/published", "1\n2\n3\n");
}

static int file_with(struct world *world, const char *text)
{
	int fd = open(world->directory, O_TMPFILE | O_RDWR, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	return fd;
}

static void recipe_and_log_are_kept_with_the_version(void **state)
{
	struct world *world = *state;
	struct image_import work = work_of(world);
	struct image_store *store = NULL;
	const struct image *image;
	struct error err = {0};

	work.recipe = file_with(world, "release = bookworm\n");
	work.log = file_with(world, "0.1 s: built\n");
	work.recipe_name = "debian-12-icewm";
	assert_int_equal(image_import_run(&work, &err), 0);
	free(work.result);
	assert_file(world, "tiny/1/recipe", "release = bookworm\n");
	assert_file(world, "tiny/1/build.log", "0.1 s: built\n");
	assert_int_equal(image_store_new(world->images, &store, &err), 0);
	image = image_store_find(store, "tiny", 1);
	assert_string_equal(image->recipe_name, "debian-12-icewm");
	assert_true(image->log);
	image_store_free(store);
	close(work.log);
	assert_int_equal(ftruncate(work.recipe, (256 << 10) + 1), 0);
	work.log = -1;
	work.result = NULL;
	assert_int_equal(image_import_run(&work, &err), -EFBIG);
	assert_non_null(strstr(err.text, "256 KiB"));
	assert_int_equal(entries(world->images), 1);
	close(work.recipe);
}

static void a_manifest_of_the_first_release_is_read(void **state)
{
	static const char old[] = "{\"name\":\"tiny\",\"version\":7,\"created\":\"2026-01-02T03:04:05Z\",\"size\":10,"
				  "\"virtual_size\":20,\"sha256\":\"00\",\"direct_boot\":true,\"append\":\"\"";
	struct image image;
	char text[512];

	(void)state;
	snprintf(text, sizeof(text), "%s}", old);
	assert_int_equal(image_manifest_parse(text, strlen(text), &image), 0);
	assert_int_equal(image.version, 7);
	assert_string_equal(image.recipe_name, "");
	assert_string_equal(image.kernel_sha256, "");
	assert_false(image.log);
	snprintf(text, sizeof(text), "%s,\"recipe_name\":\"a\\u001bb\"}", old);
	assert_int_equal(image_manifest_parse(text, strlen(text), &image), -EBADMSG);
	snprintf(text, sizeof(text), "%s,\"kernel_sha256\":\"%0100d\"}", old, 1);
	assert_int_equal(image_manifest_parse(text, strlen(text), &image), -EBADMSG);
}

static void what_a_killed_import_left_is_removed(void **state)
{
	struct world *world = *state;
	struct image_store *store = NULL;
	struct error err = {0};
	char path[128];

	snprintf(path, sizeof(path), "%s/.new-abc/deep", world->images);
	assert_int_equal(fs_mkdir_p(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/tiny", world->images);
	assert_int_equal(fs_mkdir_p(path, 0700), 0);
	put(world, "tiny/published.new.17", "1\n");
	assert_int_equal(image_store_new(world->images, &store, &err), 0);
	assert_int_equal(entries(world->images), 1);
	assert_int_equal(entries(path), 0);
	image_store_free(store);
}

static void kernel_and_initrd_lie_beside_it(void **state)
{
	struct world *world = *state;
	struct error err = {0};
	struct image *image;
	char path[128];
	struct stat st;

	assert_int_equal(import(world, world->disk, world->disk, world->disk, &image, &err), 0);
	assert_true(image->direct_boot);
	assert_string_equal(image->append, IMAGE_DEFAULT_APPEND);
	free(image);
	snprintf(path, sizeof(path), "%s/tiny/1/initrd", world->images);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	snprintf(path, sizeof(path), "%s/tiny", world->images);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void assert_import_refused(struct world *world, int disk, int kernel, int initrd, const char *words)
{
	struct error err = {0};
	struct image *image;

	assert_true(import(world, disk, kernel, initrd, &image, &err) < 0);
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
	assert_null(image);
	assert_int_equal(entries(world->images), 0);
}

static void what_is_not_a_whole_regular_file_leaves_nothing(void **state)
{
	struct world *world = *state;
	int null = open("/dev/null", O_RDONLY), huge = open("/tmp", O_TMPFILE | O_RDWR, 0600), pipes[2];

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(ftruncate(huge, (off_t)300 << 20), 0);
	assert_import_refused(world, null, -1, -1, "not a regular file");
	assert_import_refused(world, pipes[0], -1, -1, "not a regular file");
	assert_import_refused(world, huge, -1, -1, "not a qcow2");
	assert_import_refused(world, world->disk, huge, world->disk, "256 MiB");
	assert_import_refused(world, world->disk, world->disk, null, "not a regular file");
	close(null);
	close(huge);
	close(pipes[0]);
	close(pipes[1]);
}

static int import_on_full_disk(struct world *world)
{
	struct error err = {0};
	struct image *image;
	int r;

	r = import(world, world->disk, -1, -1, &image, &err);
	if (r != -ENOSPC || !strstr(err.text, "make room"))
		return 1;
	return entries(world->images) == 0 ? 0 : 2;
}

static void a_full_disk_is_said_so_and_leaves_nothing(void **state)
{
	assert_on_small_disk(*state, "size=128k", import_on_full_disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    with_world(versions_count_up_and_an_import_publishes),
	    with_world(recipe_and_log_are_kept_with_the_version),
	    cmocka_unit_test(a_manifest_of_the_first_release_is_read),
	    with_world(what_a_killed_import_left_is_removed),
	    with_world(kernel_and_initrd_lie_beside_it),
	    with_world(what_is_not_a_whole_regular_file_leaves_nothing),
	    with_world(a_full_disk_is_said_so_and_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
