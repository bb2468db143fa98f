/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which version of an image is published, whatever happens. */
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
#include "host/image_publish.h"
#include "host/image_removal.h"
#include "host/image_store.h"
#include "tests/unit/image_world.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

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
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "1\n");
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

static void damage(struct world *world, const char *file, off_t size)
{
	char path[128];
	int fd;

	assert_int_equal(fs_path(path, sizeof(path), "%s/tiny/%s", world->images, file), 0);
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
	damage(world, "1/disk.qcow2", 0);
	damage(world, "2/disk.qcow2", 4096);
	assert_int_equal(publish(world, 1, &err), -EUCLEAN);
	assert_non_null(strstr(err.text, "`hotdesk image delete tiny:1`"));
	assert_int_equal(publish(world, 0, &err), -EUCLEAN);
	assert_non_null(strstr(err.text, "tiny:2 is damaged"));
	assert_int_equal(published(world), 3);
	assert_file(world, "tiny/published", "1\n2\n3\n");
}

static void a_damaged_or_missing_boot_file_is_not_published(void **state)
{
	struct world *world = *state;
	struct image_publish check = {.directory = world->images, .name = "tiny", .version = 1, .check_only = true};
	struct image_import work = work_of(world);
	struct error err = {0};
	char path[128];

	work.kernel = work.initrd = world->disk;
	assert_int_equal(image_import_run(&work, &err), 0);
	free(work.result);
	import_good(world, true, 2);
	assert_int_equal(image_publish_run(&check, &err), 0);
	assert_int_equal(published(world), 2);
	damage(world, "1/initrd", 0);
	assert_int_equal(image_publish_run(&check, &err), -EUCLEAN);
	assert_non_null(strstr(err.text, "its file initrd"));
	assert_int_equal(publish(world, 0, &err), -EUCLEAN);
	snprintf(path, sizeof(path), "%s/tiny/1/vmlinux", world->images);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(publish(world, 1, &err), -EUCLEAN);
	assert_non_null(strstr(err.text, "its file vmlinux"));
	assert_int_equal(published(world), 2);
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

/* Nothing is changed, and room can be made by deleting a version. */
static int publish_on_full_disk(struct world *world)
{
	static const char zeros[1024];
	struct error err;
	char path[128];
	int fd;

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

static void a_full_disk_leaves_the_published_version(void **state)
{
	assert_on_small_disk(*state, "size=8m", publish_on_full_disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    with_world(an_import_need_not_publish),
	    with_world(without_a_pointer_the_newest_counts_as_published),
	    with_world(a_damaged_pointer_publishes_nothing_until_the_next_one),
	    cmocka_unit_test(the_history_keeps_each_version_once),
	    with_world(a_number_is_never_given_twice),
	    with_world(the_published_version_is_not_removed_before_another_is_published),
	    with_world(a_rollback_goes_back_step_by_step),
	    with_world(a_damaged_disk_is_not_published),
	    with_world(a_damaged_or_missing_boot_file_is_not_published),
	    with_world(a_kill_at_any_moment_leaves_the_old_or_the_new),
	    with_world(a_full_disk_leaves_the_published_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
