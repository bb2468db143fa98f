/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/image_import.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "host/image_digest.h"
#include "host/image_files.h"
#include "host/jobs.h"
#include "host/qcow2_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#define COPY_SIZE ((size_t)1 << 20)
#define BOOT_FILE_MAX ((off_t)256 << 20)
#define RECIPE_MAX ((off_t)256 << 10)
#define LOG_MAX ((off_t)64 << 20)

static void remove_treep(char (*path)[PATH_MAX])
{
	if ((*path)[0] != '\0')
		fs_remove_tree(*path);
}

static int regular_size(int fd, const char *what, off_t *ret, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set_errno(err, -errno, "the %s cannot be read", what);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "the %s is not a regular file: copy it into one first", what);
	if (st.st_size == 0)
		return error_set(err, -EINVAL, "the %s is empty", what);
	*ret = st.st_size;
	return 0;
}

/* Rounded up: never 0 where something is missing. */
static unsigned long long mebibytes(uint64_t size)
{
	return (size >> 20) + 1;
}

static int copy_failed(struct error *err, int r, const char *what, const struct image_import *import)
{
	if (r == -ENOSPC || r == -EDQUOT)
		return error_set(err, r,
				 "the disk of %s is full, %llu MiB are missing: make room there and import again",
				 import->directory, mebibytes(import->left));
	return error_set_errno(err, r, "the %s cannot be copied to %s", what, import->directory);
}

struct copy {
	int from, to;
	off_t size;
	const char *what;
	EVP_MD_CTX *digest; /* may be NULL */
	struct image_import *import;
	unsigned percent_from, percent_to;
};

static bool all_zero(const char *data, size_t size)
{
	return data[0] == '\0' && memcmp(data, data + 1, size - 1) == 0;
}

static int write_at(int fd, const char *data, size_t size, off_t offset)
{
	while (size > 0) {
		ssize_t n = pwrite(fd, data, size, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		offset += n;
		size -= (size_t)n;
	}
	return 0;
}

static int copy_part(const struct copy *copy, char *buffer, off_t at, size_t *ret_size, struct error *err)
{
	size_t want = copy->size - at < (off_t)COPY_SIZE ? (size_t)(copy->size - at) : COPY_SIZE;
	ssize_t n = pread(copy->from, buffer, want, at);
	int r = 0;

	if (n < 0)
		return error_set_errno(err, -errno, "the %s cannot be read", copy->what);
	if (n == 0)
		return error_set(err, -ESTALE,
				 "the %s became shorter while it was copied: import it again when "
				 "nothing writes to it",
				 copy->what);
	if (copy->digest && EVP_DigestUpdate(copy->digest, buffer, (size_t)n) != 1)
		return error_set(err, -EIO, "SHA-256 is not available in OpenSSL here");
	if (!all_zero(buffer, (size_t)n))
		r = write_at(copy->to, buffer, (size_t)n, at);
	if (r < 0)
		return copy_failed(err, r, copy->what, copy->import);
	*ret_size = (size_t)n;
	return 0;
}

static int copy_parts(const struct copy *copy, char *buffer, struct error *err)
{
	unsigned span = copy->percent_to - copy->percent_from;

	for (off_t at = 0; at < copy->size;) {
		size_t size = 0;
		int r = copy_part(copy, buffer, at, &size, err);

		if (r < 0)
			return r;
		at += (off_t)size;
		copy->import->left -= size;
		copy->import->percent = copy->percent_from + (unsigned)((uint64_t)at * span / (uint64_t)copy->size);
		if (copy->import->jobs && jobs_stopping(copy->import->jobs))
			return error_set(err, -ECANCELED, "hotdesk-host was stopped: import the image again");
	}
	return 0;
}

static int copy_all(const struct copy *copy, struct error *err)
{
	char *buffer = malloc(COPY_SIZE);
	int r;

	if (!buffer)
		return error_set(err, -ENOMEM, "out of memory");
	r = copy_parts(copy, buffer, err);
	free(buffer);
	if (r < 0)
		return r;
	/* Its end may be a hole. */
	if (ftruncate(copy->to, copy->size) < 0 || fsync(copy->to) < 0)
		return copy_failed(err, -errno, copy->what, copy->import);
	return 0;
}

/* Readable for all within a directory that is not: QEMU, under a uid of its own, opens /proc/self/fd/N again. */
static int create_in(const char *directory, const char *name)
{
	char path[PATH_MAX];
	int fd, r = fs_path(path, sizeof(path), "%s/%s", directory, name);

	if (r < 0)
		return r;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0644) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static int check_header(int fd, off_t size, struct qcow2_info *info, struct error *err)
{
	_cleanup_free_ uint8_t *prefix = malloc(QCOW2_PREFIX_MAX);
	size_t want = size < (off_t)QCOW2_PREFIX_MAX ? (size_t)size : QCOW2_PREFIX_MAX;
	ssize_t n = prefix ? pread(fd, prefix, want, 0) : -1;

	if (!prefix || n != (ssize_t)want)
		return error_set(err, -EIO, "the image's header cannot be read");
	return qcow2_check(prefix, want, (uint64_t)size, info, err);
}

/* What lies beside the disk; whether it can be what it is given for is seen when it is copied. */
static uint64_t extra_size(int fd)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > BOOT_FILE_MAX)
		return 0;
	return (uint64_t)st.st_size;
}

static int check_room(struct image_import *import, off_t size, struct error *err)
{
	struct statvfs room;
	uint64_t free_bytes;

	import->left = (uint64_t)size + extra_size(import->kernel) + extra_size(import->initrd) +
		       extra_size(import->recipe) + extra_size(import->log);
	if (statvfs(import->directory, &room) < 0)
		return error_set_errno(err, -errno, "cannot see how much room %s has", import->directory);
	free_bytes = (uint64_t)room.f_bavail * room.f_frsize;
	if (free_bytes < import->left)
		return error_set(err, -ENOSPC,
				 "the image needs %llu MiB and the disk of %s has %llu MiB left, %llu MiB are missing: "
				 "make room there and import again",
				 mebibytes(import->left), import->directory, (unsigned long long)free_bytes >> 20,
				 mebibytes(import->left - free_bytes));
	return 0;
}

static int copy_disk(struct image_import *import, const char *directory, struct image *image, struct error *err)
{
	_cleanup_(image_digest_freep) EVP_MD_CTX *digest = image_digest_new();
	_cleanup_close_ int to = -1;
	struct qcow2_info info = {0};
	off_t size = 0;
	int r = regular_size(import->disk, "image", &size, err);

	if (r == 0)
		r = check_header(import->disk, size, &info, err);
	if (r == 0)
		r = check_room(import, size, err);
	if (r < 0)
		return r;
	to = create_in(directory, "disk.qcow2");
	if (to < 0)
		return copy_failed(err, to, "image", import);
	if (!digest)
		return error_set(err, -EIO, "SHA-256 is not available in OpenSSL here");
	r = copy_all(&(struct copy){import->disk, to, size, "image", digest, import, 0, 95}, err);
	/* The copy, which nobody else writes to: what was checked before may have been changed since. */
	if (r == 0)
		r = check_header(to, size, &info, err);
	if (r == 0)
		r = qcow2_check_tables(to, &info, (uint64_t)size, err);
	if (r < 0)
		return r;
	image->size = (uint64_t)size;
	image->virtual_size = info.virtual_size;
	return image_digest_text(digest, image->sha256) < 0 ? error_set(err, -EIO, "SHA-256 failed") : 0;
}

/* A file that lies beside the disk. */
struct extra {
	int from;
	const char *name, *what;
	off_t max;
	char *sum; /* IMAGE_SHA256_SIZE; NULL: nobody needs it */
};

static int copy_extra(struct image_import *import, const char *directory, const struct extra *extra, struct error *err)
{
	_cleanup_(image_digest_freep) EVP_MD_CTX *digest = extra->sum ? image_digest_new() : NULL;
	_cleanup_close_ int to = -1;
	off_t size = 0;
	bool mib = extra->max >= (off_t)1 << 20;
	int r = regular_size(extra->from, extra->what, &size, err);

	if (r < 0)
		return r;
	if (size > extra->max)
		return error_set(err, -EFBIG, "the %s has more than %lld %s: that cannot be one", extra->what,
				 (long long)(mib ? extra->max >> 20 : extra->max >> 10), mib ? "MiB" : "KiB");
	to = create_in(directory, extra->name);
	if (to < 0)
		return copy_failed(err, to, extra->what, import);
	if (extra->sum && !digest)
		return error_set(err, -EIO, "SHA-256 is not available in OpenSSL here");
	r = copy_all(&(struct copy){extra->from, to, size, extra->what, digest, import, 95, 99}, err);
	if (r == 0 && extra->sum && image_digest_text(digest, extra->sum) < 0)
		r = error_set(err, -EIO, "SHA-256 failed");
	return r;
}

static int copy_boot(struct image_import *import, const char *directory, struct image *image, struct error *err)
{
	const struct extra kernel = {import->kernel, "vmlinux", "kernel", BOOT_FILE_MAX, image->kernel_sha256};
	const struct extra initrd = {import->initrd, "initrd", "initrd", BOOT_FILE_MAX, image->initrd_sha256};
	int r;

	if (import->kernel < 0)
		return 0;
	r = copy_extra(import, directory, &kernel, err);
	if (r == 0)
		r = copy_extra(import, directory, &initrd, err);
	image->direct_boot = true;
	snprintf(image->append, sizeof(image->append), "%s",
		 import->append && import->append[0] ? import->append : IMAGE_DEFAULT_APPEND);
	return r;
}

/* Recipe and build log: how the image came to be. */
static int copy_origin(struct image_import *import, const char *directory, struct image *image, struct error *err)
{
	const struct extra recipe = {import->recipe, "recipe", "recipe", RECIPE_MAX, NULL};
	const struct extra build_log = {import->log, "build.log", "build log", LOG_MAX, NULL};
	int r = 0;

	if (import->recipe >= 0) {
		r = copy_extra(import, directory, &recipe, err);
		snprintf(image->recipe_name, sizeof(image->recipe_name), "%s", import->recipe_name);
	}
	if (r == 0 && import->log >= 0) {
		r = copy_extra(import, directory, &build_log, err);
		image->log = true;
	}
	return r;
}

/* Numbers are not given again while the image is there, so that one number never means two disks. */
static int next_version(const char *directory, uint32_t *ret)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	unsigned long last = 0;
	int r = fs_path(path, sizeof(path), "%s/last-version", directory);

	if (r == 0)
		r = fs_read_file(path, 32, &text, NULL);
	if (r < 0 && r != -ENOENT)
		return r;
	if (text)
		last = strtoul(text, NULL, 10);
	for (;;) {
		struct stat st;

		if (++last > UINT32_MAX)
			return -ERANGE;
		r = fs_path(path, sizeof(path), "%s/%lu", directory, last);
		if (r < 0)
			return r;
		if (lstat(path, &st) < 0 && errno == ENOENT)
			break;
	}
	*ret = (uint32_t)last;
	return 0;
}

static int write_text(const char *directory, const char *name, const char *text)
{
	char path[PATH_MAX];
	int r = fs_path(path, sizeof(path), "%s/%s", directory, name);

	return r < 0 ? r : fs_write_atomic(path, text, strlen(text), 0644);
}

static void stamp(struct image *image)
{
	time_t now = time(NULL);
	struct tm utc;

	if (gmtime_r(&now, &utc))
		strftime(image->created, sizeof(image->created), "%Y-%m-%dT%H:%M:%SZ", &utc);
}

/* What is published has to be said before a version appears: else the newest would count. */
static int know_history(const struct image_import *import, struct image_history *ret)
{
	int r = image_files_history(import->directory, import->name, ret);

	if (r == -EBADMSG) {
		*ret = (struct image_history){0};
		r = 0;
	}
	return r < 0 ? r : image_files_keep_history(import->directory, import->name, ret);
}

static int settle(const struct image_import *import, const char *from, struct image *image,
		  struct image_history *ret_history)
{
	_cleanup_free_ char *manifest = NULL;
	char home[PATH_MAX], to[PATH_MAX], number[16];
	int r = fs_path(home, sizeof(home), "%s/%s", import->directory, import->name);

	if (r == 0)
		r = fs_mkdir_p(home, 0700);
	if (r == 0)
		r = know_history(import, ret_history);
	if (r == 0)
		r = next_version(home, &image->version);
	if (r < 0)
		return r;
	stamp(image);
	manifest = image_manifest(image);
	if (!manifest)
		return -ENOMEM;
	r = write_text(from, "manifest.json", manifest);
	snprintf(number, sizeof(number), "%u", image->version);
	if (r == 0)
		r = write_text(home, "last-version", number);
	if (r == 0)
		r = fs_path(to, sizeof(to), "%s/%u", home, image->version);
	if (r == 0 && rename(from, to) < 0)
		r = -errno;
	return r;
}

static int publish(const struct image_import *import, struct image *image, struct image_history *history,
		   struct error *err)
{
	int r = image_files_sync(import->directory, import->name);

	if (r == 0 && import->publish) {
		image_history_publish(history, image->version);
		r = image_files_keep_history(import->directory, import->name, history);
	}
	if (r < 0)
		return error_set_errno(err, r,
				       "image %s:%u is there but not published: make sure that %s can be written, then "
				       "`hotdesk image publish %s:%u`",
				       image->name, image->version, import->directory, image->name, image->version);
	image->published = import->publish;
	return 0;
}

int image_import_run(struct image_import *import, struct error *err)
{
	_cleanup_free_ struct image *image = calloc(1, sizeof(*image));
	_cleanup_(remove_treep) char directory[PATH_MAX] = "";
	struct image_history history = {0};
	char path[PATH_MAX];
	int r;

	if (!image)
		return error_set(err, -ENOMEM, "out of memory");
	snprintf(image->name, sizeof(image->name), "%s", import->name);
	r = fs_path(path, sizeof(path), "%s/.new-XXXXXX", import->directory);
	if (r < 0 || !mkdtemp(path))
		return copy_failed(err, r < 0 ? r : -errno, "image", import);
	memcpy(directory, path, sizeof(directory));
	r = copy_disk(import, directory, image, err);
	if (r == 0)
		r = copy_boot(import, directory, image, err);
	if (r == 0)
		r = copy_origin(import, directory, image, err);
	if (r < 0)
		return r;
	r = settle(import, directory, image, &history);
	if (r < 0)
		return copy_failed(err, r, "manifest", import);
	directory[0] = '\0';
	r = publish(import, image, &history, err);
	import->percent = 100;
	import->result = steal_ptr(image);
	return r;
}
