/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/image_publish.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "host/image_digest.h"
#include "host/image_files.h"
#include "host/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define READ_SIZE ((size_t)1 << 20)

static int read_manifest(const struct image_publish *publish, uint32_t version, struct image *ret)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", version);
	return image_files_manifest(publish->directory, publish->name, number, ret);
}

static int damaged(const struct image *image, const char *file, struct error *err)
{
	return error_set(
	    err, -EUCLEAN,
	    "image %s:%u is damaged, its file %s is not the one that was imported: publish another version, "
	    "delete this one (`hotdesk image delete %s:%u`), and import or build it again",
	    image->name, image->version, file, image->name, image->version);
}

/* size: for the progress; 0: none. */
static int add_file(struct image_publish *publish, int fd, uint64_t size, EVP_MD_CTX *digest, struct error *err)
{
	_cleanup_free_ char *buffer = malloc(READ_SIZE);
	uint64_t done = 0;
	ssize_t n;

	if (!buffer)
		return error_set(err, -ENOMEM, "out of memory");
	while ((n = read(fd, buffer, READ_SIZE)) > 0) {
		if (EVP_DigestUpdate(digest, buffer, (size_t)n) != 1)
			return error_set(err, -EIO, "SHA-256 is not available in OpenSSL here");
		done += (uint64_t)n;
		if (size > 0)
			publish->percent = (unsigned)(done * 99 / size);
		if (publish->jobs && jobs_stopping(publish->jobs))
			return error_set(err, -ECANCELED, "hotdesk-host was stopped: do it again");
	}
	return n < 0 ? -errno : 0;
}

/* sum "": not known. size 0: as well. */
static int check_file(struct image_publish *publish, const struct image *image, const char *file, uint64_t size,
		      const char *sum, struct error *err)
{
	_cleanup_(image_digest_freep) EVP_MD_CTX *digest = image_digest_new();
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX], found[IMAGE_SHA256_SIZE] = "";
	struct stat st;
	int r = fs_path(path, sizeof(path), "%s/%s/%u/%s", publish->directory, image->name, image->version, file);

	if (sum[0] == '\0')
		return 0;
	if (r < 0 || !digest)
		return error_set(err, -EIO, "the sum of %s cannot be taken", file);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0 || (size > 0 && (uint64_t)st.st_size != size))
		return damaged(image, file, err);
	r = add_file(publish, fd, size, digest, err);
	if (r == -ENOMEM || r == -ECANCELED)
		return r;
	if (r < 0 || image_digest_text(digest, found) < 0 || strcmp(found, sum) != 0)
		return damaged(image, file, err);
	return 0;
}

static int check(struct image_publish *publish, const struct image *image, struct error *err)
{
	int r = check_file(publish, image, "disk.qcow2", image->size, image->sha256, err);

	if (r == 0)
		r = check_file(publish, image, "vmlinux", 0, image->kernel_sha256, err);
	return r < 0 ? r : check_file(publish, image, "initrd", 0, image->initrd_sha256, err);
}

/* Takes everything behind the version that was published before from the history. */
static int go_back(const struct image_publish *publish, struct image_history *history, struct error *err)
{
	struct image image;

	for (size_t n = history->n; n > 1; n--)
		if (read_manifest(publish, history->versions[n - 2], &image) == 0) {
			history->n = n - 1;
			return 0;
		}
	return error_set(
	    err, -ENOENT,
	    "no version of image %s that is still there was published before: `hotdesk image show %s` lists "
	    "what is there, `hotdesk image publish %s:VERSION` publishes one",
	    publish->name, publish->name, publish->name);
}

static int next_history(const struct image_publish *publish, struct image_history *ret, struct error *err)
{
	int r = image_files_history(publish->directory, publish->name, ret);

	if (r < 0 && r != -EBADMSG)
		return error_set_errno(err, r, "which version of image %s is published cannot be read", publish->name);
	if (r < 0)
		*ret = (struct image_history){0};
	if (publish->version == 0)
		return go_back(publish, ret, err);
	image_history_publish(ret, publish->version);
	return 0;
}

static int keep(const struct image_publish *publish, const struct image_history *history, struct error *err)
{
	int r = image_files_keep_history(publish->directory, publish->name, history);

	return r < 0 ? error_set_errno(err, r, "image %s:%u is not published: make sure that %s can be written",
				       publish->name, publish->version, publish->directory)
		     : 0;
}

int image_publish_run(struct image_publish *publish, struct error *err)
{
	struct image_history history;
	struct image image;
	int r = publish->check_only ? 0 : next_history(publish, &history, err);

	if (r < 0)
		return r;
	if (!publish->check_only)
		publish->version = image_history_published(&history);
	r = read_manifest(publish, publish->version, &image);
	if (r < 0)
		return error_set_errno(err, r,
				       "image %s:%u cannot be read (`hotdesk image show %s` lists what is there)",
				       publish->name, publish->version, publish->name);
	r = check(publish, &image, err);
	if (r == 0 && !publish->check_only)
		r = keep(publish, &history, err);
	if (r == 0)
		publish->percent = 100;
	return r;
}
