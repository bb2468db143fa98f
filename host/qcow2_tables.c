/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/qcow2_check.h"

#include "common/cleanup.h"
#include "host/qcow2_format.h"

#include <errno.h>

#define L1_CHUNK 512u /* entries read at once */

struct walk {
	int fd;
	const struct qcow2_info *info;
	uint64_t file_size;
	uint8_t *l2;       /* one cluster */
	uint64_t n_tables; /* second tables read so far */
};

static int read_exactly(int fd, uint8_t *data, size_t size, uint64_t offset)
{
	while (size > 0) {
		ssize_t n = pread(fd, data, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		data += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

/* QEMU may leave the last cluster of a file short: what begins within the file and ends less than a cluster behind it
 * is whole. */
static bool begins_inside(const struct walk *walk, uint64_t offset)
{
	return offset < walk->file_size;
}

static int cut_off(struct error *err)
{
	return error_set(err, -EINVAL, "the image is cut off: data lies behind the end of the file; copy it again");
}

static uint64_t data_offset(const struct qcow2_info *info, uint64_t entry)
{
	if (entry & QCOW2_COMPRESSED)
		return entry & ((UINT64_C(1) << (62 - (info->cluster_bits - 8))) - 1);
	return entry & QCOW2_OFFSET_MASK;
}

/* Each second table has a cluster of its own (the active ones share none), so no file names more than it has room for:
 * what is read here is bounded by the file, however large the first table is. */
static int count_table(struct walk *walk, struct error *err)
{
	uint64_t clusters = (walk->file_size >> walk->info->cluster_bits) + 1;

	if (++walk->n_tables > clusters)
		return error_set(err, -EINVAL,
				 "the image's tables are named more than once: the file is damaged; copy it again, or "
				 "make it anew by qemu-img convert -O qcow2 OLD NEW");
	return 0;
}

static int check_l2(const struct walk *walk, uint64_t offset, struct error *err)
{
	size_t cluster = (size_t)1 << walk->info->cluster_bits, step = walk->info->extended_l2 ? 16 : 8;
	int r;

	if (offset % cluster != 0)
		return error_set(err, -EINVAL, "the image's second tables are impossible: " QCOW2_DAMAGED);
	r = read_exactly(walk->fd, walk->l2, cluster, offset);
	if (r == -ENODATA)
		return cut_off(err);
	if (r < 0)
		return error_set_errno(err, r, "the image cannot be read");
	for (size_t at = 0; at < cluster; at += step)
		if (!begins_inside(walk, data_offset(walk->info, qcow2_get64(walk->l2 + at))))
			return cut_off(err);
	return 0;
}

static int check_l1_chunk(struct walk *walk, const uint8_t *entries, size_t n, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t offset = qcow2_get64(entries + 8 * i) & QCOW2_OFFSET_MASK;
		int r = offset ? count_table(walk, err) : 0;

		if (r == 0 && offset)
			r = check_l2(walk, offset, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_l1(struct walk *walk, struct error *err)
{
	const struct qcow2_info *info = walk->info;
	uint8_t entries[8 * L1_CHUNK] = {0};

	for (uint32_t at = 0; at < info->l1_size; at += L1_CHUNK) {
		size_t n = info->l1_size - at < L1_CHUNK ? info->l1_size - at : L1_CHUNK;
		int r = read_exactly(walk->fd, entries, 8 * n, info->l1_offset + 8 * (uint64_t)at);

		if (r < 0)
			return error_set_errno(err, r, "the image's first table cannot be read");
		r = check_l1_chunk(walk, entries, n, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int qcow2_check_tables(int fd, const struct qcow2_info *info, uint64_t file_size, struct error *err)
{
	struct walk walk = {fd, info, file_size, malloc((size_t)1 << info->cluster_bits), 0};
	int r;

	if (!walk.l2)
		return error_set(err, -ENOMEM, "out of memory");
	r = check_l1(&walk, err);
	free(walk.l2);
	return r;
}
