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
#include "host/overlay.h"
#include "tests/unit/image_world.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

int world_setup(void **state)
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

int world_teardown(void **state)
{
	struct world *world = *state;

	close(world->disk);
	fs_remove_tree(world->directory);
	free(world);
	return 0;
}

struct image_import work_of(const struct world *world)
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

unsigned entries(const char *path)
{
	DIR *directory = opendir(path);
	unsigned n = 0;

	assert_non_null(directory);
	for (const struct dirent *entry; (entry = readdir(directory));)
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(directory);
	return n;
}

void put(struct world *world, const char *name, const char *text)
{
	char path[128];

	assert_int_equal(fs_path(path, sizeof(path), "%s/%s", world->images, name), 0);
	assert_int_equal(fs_write_atomic(path, text, strlen(text), 0600), 0);
}

void assert_file(struct world *world, const char *name, const char *text)
{
	_cleanup_free_ char *there = NULL;
	char path[128];

	assert_int_equal(fs_path(path, sizeof(path), "%s/%s", world->images, name), 0);
	assert_int_equal(fs_read_file(path, 4096, &there, NULL), 0);
	assert_string_equal(there, text);
}

void import_good(struct world *world, bool publish, uint32_t version)
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
uint32_t published(struct world *world)
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

/* In a process of its own, with a small file system of its own where root may mount one. */
static bool mount_small(const struct world *world, const char *size)
{
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", world->images, "tmpfs", 0, size) == 0;
}

void assert_on_small_disk(struct world *world, const char *size, int (*run)(struct world *world))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(mount_small(world, size) ? run(world) : 77);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}
