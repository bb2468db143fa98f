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
#include "host/image_history.h"
#include "host/image_import.h"
#include "host/image_publish.h"
#include "host/image_removal.h"
#include "host/image_store.h"
#include "host/overlay.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct world {
	char directory[32], images[64];
	int disk; /* a whole image */
};

static int world_setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	_cleanup_free_ uint8_t *data = NULL;
	char path[64];
	size_t size;

	*state = world;
	snprintf(world->directory, sizeof(world->directory), "/tmp/images-XXXXXX");
	if (!mkdtemp(world->directory) || overlay_make(1 << 30, &data, &size) < 0)
		return -1;
	snprintf(world->images, sizeof(world->images), "%s/images", world->directory);
	snprintf(path, sizeof(path), "%s/disk", world->directory);
	world->disk = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return world->disk < 0 || fs_mkdir_p(world->images, 0700) < 0 ? -1 : fd_write_all(world->disk, data, size);
}

static int world_teardown(void **state)
{
	struct world *world = *state;

	close(world->disk);
	fs_remove_tree(world->directory);
	free(world);
	return 0;
}

static struct image_import work_of(const struct world *world)
{
	return (struct image_import){
	    .directory = world->images,
	    .name = "tiny",
	    .append = "",
	    .recipe_name = "",
	    .disk = world->disk,
	    .kernel = -1,
	    .initrd = -1,
	    .recipe = -1,
	    .log = -1,
	    .publish = true,
	};
}

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

static unsigned entries(const char *path)
{
	DIR *directory = opendir(path);
	unsigned n = 0;

	assert_non_null(directory);
	for (const struct dirent *entry; (entry = readdir(directory));)
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(directory);
	return n;
}

static void put(struct world *world, const char *name, const char *text)
{
	char path[128];

	assert_int_equal(fs_path(path, sizeof(path), "%s/%s", world->images, name), 0);
	assert_int_equal(fs_write_atomic(path, text, strlen(text), 0600), 0);
}

static void assert_file(struct world *world, const char *name, const char *text)
{
	_cleanup_free_ char *there = NULL;
	char path[128];

	assert_int_equal(fs_path(path, sizeof(path), "%s/%s", world->images, name), 0);
	assert_int_equal(fs_read_file(path, 4096, &there, NULL), 0);
	assert_string_equal(there, text);
}

static void import_good(struct world *world, bool publish, uint32_t version)
{
	struct image_import work = work_of(world);
	struct error err = {0};

	work.publish = publish;
	if (image_import_run(&work, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(work.result->version, version);
	assert_int_equal(work.result->published, publish);
	free(work.result);
}

/* As a host that is started on this directory sees it; 0: none. */
static uint32_t published(struct world *world)
{
	struct image_store *store = NULL;
	const struct image *image;
	struct error err = {0};
	uint32_t version;

	assert_int_equal(image_store_new(world->images, &store, &err), 0);
	image = image_store_find(store, "tiny", 0);
	version = image ? image->version : 0;
	image_store_free(store);
	return version;
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

static void an_import_need_not_publish(void **state)
{
	struct world *world = *state;

	import_good(world, false, 1);
	assert_int_equal(published(world), 0);
	import_good(world, true, 2);
	import_good(world, false, 3);
	assert_int_equal(published(world), 2);
	assert_file(world, "tiny/published", "2\n");
}

static void without_a_pointer_the_newest_counts_as_published(void **state)
{
	struct world *world = *state;
	char path[128];

	for (uint32_t i = 1; i <= 2; i++)
		import_good(world, true, i);
	snprintf(path, sizeof(path), "%s/tiny/published", world->images);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(published(world), 2);
	/* It goes on to be, though a newer one comes. */
	import_good(world, false, 3);
	assert_int_equal(published(world), 2);
	assert_file(world, "tiny/published", "1\n2\n");
}

static void a_damaged_pointer_publishes_nothing_until_the_next_one(void **state)
{
	struct world *world = *state;

	import_good(world, true, 1);
	for (size_t i = 0; i < 4; i++) {
		static const char *const damaged[] = {"1", "1\n1\n", "0\n", "+1\n"};

		put(world, "tiny/published", damaged[i]);
		assert_int_equal(published(world), 0);
	}
	put(world, "tiny/published", "1\n9\n");
	assert_int_equal(published(world), 0);
	put(world, "tiny/published", "x");
	import_good(world, true, 2);
	assert_int_equal(published(world), 2);
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

static void the_history_keeps_each_version_once(void **state)
{
	char text[IMAGE_HISTORY_TEXT_SIZE];
	struct image_history history = {0}, again;

	(void)state;
	assert_int_equal(image_history_published(&history), 0);
	for (uint32_t i = 1; i <= IMAGE_HISTORY_MAX + 1; i++)
		image_history_publish(&history, UINT32_MAX - i);
	assert_int_equal(history.n, IMAGE_HISTORY_MAX);
	image_history_publish(&history, UINT32_MAX - 5);
	assert_int_equal(history.n, IMAGE_HISTORY_MAX);
	assert_int_equal(image_history_published(&history), UINT32_MAX - 5);
	image_history_format(&history, text);
	assert_int_equal(image_history_parse(text, &again), 0);
	assert_memory_equal(&again, &history, sizeof(again));
	image_history_forget(&again, UINT32_MAX - 5);
	assert_int_equal(image_history_published(&again), UINT32_MAX - IMAGE_HISTORY_MAX - 1);
	assert_int_equal(image_history_parse("4294967296\n", &again), -EBADMSG);
	strcat(text, "1\n");
	assert_int_equal(image_history_parse(text, &again), -EBADMSG);
}

/* Takes it off the list of a host and from the disk. */
static int remove_version(struct world *world, uint32_t version, struct error *err)
{
	struct image_removal removal = {.directory = world->images, .name = "tiny", .all = version == 0};
	struct image_store *store = NULL;
	int r;

	*err = (struct error){0};
	assert_int_equal(image_store_new(world->images, &store, err), 0);
	removal.images = image_store_take(store, "tiny", version);
	assert_non_null(removal.images);
	r = image_removal_run(&removal, err);
	image_list_free(removal.images);
	image_list_free(removal.gone);
	image_store_free(store);
	return r;
}

static void a_number_is_never_given_twice(void **state)
{
	struct world *world = *state;
	struct error err;

	import_good(world, true, 1);
	assert_int_equal(remove_version(world, 1, &err), 0);
	assert_int_equal(published(world), 0);
	import_good(world, true, 2);
	assert_int_equal(remove_version(world, 0, &err), 0);
	assert_int_equal(entries(world->images), 0);
}

static void the_published_version_is_not_removed_before_another_is_published(void **state)
{
	struct world *world = *state;
	struct error err;

	import_good(world, false, 1);
	import_good(world, true, 2);
	assert_int_equal(remove_version(world, 2, &err), -EBUSY);
	assert_int_equal(published(world), 2);
	assert_int_equal(remove_version(world, 1, &err), 0);
	assert_int_equal(remove_version(world, 2, &err), 0);
}

/* 0: rollback. */
static int publish(struct world *world, uint32_t version, struct error *err)
{
	struct image_publish work = {.directory = world->images, .name = "tiny", .version = version};

	*err = (struct error){0};
	return image_publish_run(&work, err);
}

static void a_rollback_goes_back_step_by_step(void **state)
{
	struct world *world = *state;
	struct error err;

	for (uint32_t i = 1; i <= 4; i++)
		import_good(world, i != 3, i);
	assert_int_equal(publish(world, 3, &err), 0);
	assert_int_equal(publish(world, 1, &err), 0);
	assert_file(world, "tiny/published", "2\n4\n3\n1\n");
	assert_int_equal(publish(world, 0, &err), 0);
	assert_int_equal(published(world), 3);
	/* One that is not there any more is passed over. */
	assert_int_equal(remove_version(world, 4, &err), 0);
	assert_int_equal(publish(world, 0, &err), 0);
	assert_int_equal(published(world), 2);
	assert_int_equal(publish(world, 0, &err), -ENOENT);
	assert_non_null(strstr(err.text, "`hotdesk image publish tiny:VERSION`"));
	assert_int_equal(published(world), 2);
	assert_int_equal(publish(world, 9, &err), -ENOENT);
	assert_int_equal(published(world), 2);
}

static void damage(struct world *world, uint32_t version, off_t size)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/tiny/%u/disk.qcow2", world->images, version);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	if (size > 0)
		assert_int_equal(ftruncate(fd, size), 0);
	else
		assert_int_equal(pwrite(fd, "x", 1, 100), 1);
	close(fd);
}

static void a_damaged_disk_is_not_published(void **state)
{
	struct world *world = *state;
	struct error err;

	for (uint32_t i = 1; i <= 3; i++)
		import_good(world, true, i);
	damage(world, 1, 0);
	damage(world, 2, 4096);
	assert_int_equal(publish(world, 1, &err), -EUCLEAN);
	assert_non_null(strstr(err.text, "`hotdesk image delete tiny:1`"));
	assert_int_equal(publish(world, 0, &err), -EUCLEAN);
	assert_non_null(strstr(err.text, "tiny:2 is damaged"));
	assert_int_equal(published(world), 3);
	assert_file(world, "tiny/published", "1\n2\n3\n");
}

/* Publishes one and the other, imports without publishing, and tells each step. */
static void change_for_ever(struct world *world, int progress)
{
	struct error err;

	for (uint32_t i = 0;; i++) {
		struct image_import work = work_of(world);

		work.publish = false;
		if (publish(world, 1 + i % 2, &err) < 0 || write(progress, "", 1) != 1 ||
		    image_import_run(&work, &err) < 0 || write(progress, "", 1) != 1)
			_exit(1);
		free(work.result);
	}
}

static void a_kill_at_any_moment_leaves_the_old_or_the_new(void **state)
{
	struct world *world = *state;

	import_good(world, true, 1);
	import_good(world, true, 2);
	for (int round = 0; round < 16; round++) {
		int pipes[2], status;
		pid_t pid;
		char step;

		assert_int_equal(pipe(pipes), 0);
		pid = fork();
		if (pid == 0)
			change_for_ever(world, pipes[1]);
		close(pipes[1]);
		for (int steps = 0; steps <= round % 5; steps++)
			assert_int_equal(read(pipes[0], &step, 1), 1);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		close(pipes[0]);
		assert_in_range(published(world), 1, 2);
		assert_int_equal(entries(world->images), 1);
	}
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

/* In a process of its own, with a small file system of its own where root may mount one. */
static bool mount_small(const struct world *world, const char *size)
{
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", world->images, "tmpfs", 0, size) == 0;
}

static int import_on_full_disk(struct world *world)
{
	struct error err = {0};
	struct image *image;
	int r;

	if (!mount_small(world, "size=128k"))
		return 77;
	r = import(world, world->disk, -1, -1, &image, &err);
	if (r != -ENOSPC || !strstr(err.text, "make room"))
		return 1;
	return entries(world->images) == 0 ? 0 : 2;
}

/* Nothing is changed, and room can be made by deleting a version. */
static int publish_on_full_disk(struct world *world)
{
	static const char zeros[1024];
	struct error err;
	char path[128];
	int fd;

	if (!mount_small(world, "size=8m"))
		return 77;
	for (uint32_t i = 1; i <= 3; i++)
		import_good(world, true, i);
	snprintf(path, sizeof(path), "%s/filler", world->images);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (fd_write_all(fd, zeros, sizeof(zeros)) == 0)
		continue;
	close(fd);
	if (publish(world, 1, &err) != -ENOSPC || !strstr(err.text, "can be written") || published(world) != 3)
		return 1;
	if (publish(world, 0, &err) != -ENOSPC || published(world) != 3 || remove_version(world, 2, &err) < 0)
		return 2;
	return publish(world, 1, &err) == 0 && published(world) == 1 ? 0 : 3;
}

static void assert_on_small_disk(struct world *world, int (*run)(struct world *world))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(run(world));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_full_disk_is_said_so_and_leaves_nothing(void **state)
{
	assert_on_small_disk(*state, import_on_full_disk);
}

static void a_full_disk_leaves_the_published_version(void **state)
{
	assert_on_small_disk(*state, publish_on_full_disk);
}

#define with_world(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    with_world(versions_count_up_and_an_import_publishes),
	    with_world(an_import_need_not_publish),
	    with_world(without_a_pointer_the_newest_counts_as_published),
	    with_world(a_damaged_pointer_publishes_nothing_until_the_next_one),
	    with_world(recipe_and_log_are_kept_with_the_version),
	    cmocka_unit_test(the_history_keeps_each_version_once),
	    with_world(a_number_is_never_given_twice),
	    with_world(the_published_version_is_not_removed_before_another_is_published),
	    with_world(a_rollback_goes_back_step_by_step),
	    with_world(a_damaged_disk_is_not_published),
	    with_world(a_kill_at_any_moment_leaves_the_old_or_the_new),
	    with_world(what_a_killed_import_left_is_removed),
	    with_world(kernel_and_initrd_lie_beside_it),
	    with_world(what_is_not_a_whole_regular_file_leaves_nothing),
	    with_world(a_full_disk_is_said_so_and_leaves_nothing),
	    with_world(a_full_disk_leaves_the_published_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
