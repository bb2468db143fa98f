/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/qcow2_check.h"

#include "host/qcow2_format.h"

#include <errno.h>
#include <inttypes.h>

/* QEMU's own limits (block/qcow2.h). */
#define MAX_L1_BYTES (32u << 20)
#define MAX_REFTABLE_BYTES (8u << 20)

#define CONVERT "convert it with `qemu-img convert -O qcow2 SOURCE NEW.qcow2` and import the new file"

static bool inside(uint64_t offset, uint64_t size, uint64_t file_size)
{
	return offset <= file_size && size <= file_size - offset;
}

static int check_kind(const uint8_t *prefix, size_t size, struct error *err)
{
	uint32_t version;

	if (size < QCOW2_HEADER_SIZE_V2 || qcow2_get32(prefix + QCOW2_AT_MAGIC) != QCOW2_MAGIC)
		return error_set(err, -EINVAL, "the file is not a qcow2 image: " CONVERT);
	version = qcow2_get32(prefix + QCOW2_AT_VERSION);
	if (version != 2 && version != 3)
		return error_set(err, -EINVAL, "the image is qcow2 version %" PRIu32 ", which is not known: " CONVERT,
				 version);
	if (version == 3 && size < QCOW2_HEADER_SIZE_V3)
		return error_set(err, -EINVAL, "the image is cut off in its header: copy it again");
	return 0;
}

/* What makes QEMU open other files, ask for keys or interpret the rest in ways that are not known here. */
static int check_features(const uint8_t *prefix, struct error *err)
{
	uint64_t incompatible =
	    qcow2_get32(prefix + QCOW2_AT_VERSION) >= 3 ? qcow2_get64(prefix + QCOW2_AT_INCOMPATIBLE) : 0;

	if (qcow2_get64(prefix + QCOW2_AT_BACKING_OFFSET) != 0 || qcow2_get32(prefix + QCOW2_AT_BACKING_SIZE) != 0)
		return error_set(err, -EINVAL, "the image has a backing file and is not whole without it: " CONVERT);
	if (incompatible & QCOW2_INCOMPATIBLE_DATA_FILE)
		return error_set(err, -EINVAL, "the image keeps its data in an external file: " CONVERT);
	if (incompatible & QCOW2_INCOMPATIBLE_CORRUPT)
		return error_set(err, -EINVAL,
				 "the image is marked as corrupt: repair it with `qemu-img check -r all` first");
	if (incompatible & ~QCOW2_INCOMPATIBLE_KNOWN)
		return error_set(err, -EINVAL, "the image uses features that are not known (0x%" PRIx64 "): " CONVERT,
				 incompatible & ~QCOW2_INCOMPATIBLE_KNOWN);
	if (qcow2_get32(prefix + QCOW2_AT_CRYPT) != 0)
		return error_set(err, -EINVAL, "the image is encrypted: " CONVERT);
	if (qcow2_get32(prefix + QCOW2_AT_SNAPSHOTS) != 0)
		return error_set(err, -EINVAL, "the image holds internal snapshots: " CONVERT);
	return 0;
}

static int check_dimensions(const uint8_t *prefix, struct qcow2_info *info, struct error *err)
{
	bool v3 = qcow2_get32(prefix + QCOW2_AT_VERSION) >= 3;

	info->cluster_bits = qcow2_get32(prefix + QCOW2_AT_CLUSTER_BITS);
	info->virtual_size = qcow2_get64(prefix + QCOW2_AT_VIRTUAL_SIZE);
	info->extended_l2 = v3 && (qcow2_get64(prefix + QCOW2_AT_INCOMPATIBLE) & QCOW2_INCOMPATIBLE_EXTENDED_L2);
	if (info->cluster_bits < QCOW2_MIN_CLUSTER_BITS || info->cluster_bits > QCOW2_MAX_CLUSTER_BITS)
		return error_set(err, -EINVAL,
				 "the image has clusters of 2^%" PRIu32 " bytes, as no qcow2 image has: " QCOW2_DAMAGED,
				 info->cluster_bits);
	if (info->virtual_size == 0 || info->virtual_size > QCOW2_MAX_VIRTUAL_SIZE)
		return error_set(
		    err, -EINVAL,
		    "the image claims a disk of %" PRIu64 " bytes, but from 1 byte to 16 TiB can be used: "
		    "shrink it by `qemu-img resize --shrink` where that is its size; otherwise " QCOW2_DAMAGED,
		    info->virtual_size);
	if (v3 && qcow2_get32(prefix + QCOW2_AT_REFCOUNT_ORDER) > 6)
		return error_set(err, -EINVAL, "the image has reference counts of an impossible width: " QCOW2_DAMAGED);
	return 0;
}

/* Virtual bytes that one L1 entry stands for, as a power of two. */
static uint32_t l1_entry_bits(const struct qcow2_info *info)
{
	return 2 * info->cluster_bits - (info->extended_l2 ? 4 : 3);
}

static int check_tables(const uint8_t *prefix, uint64_t file_size, struct qcow2_info *info, struct error *err)
{
	uint64_t cluster = UINT64_C(1) << info->cluster_bits, entry_bits = l1_entry_bits(info);
	uint64_t needed = (info->virtual_size + (UINT64_C(1) << entry_bits) - 1) >> entry_bits;
	uint64_t reftable = qcow2_get64(prefix + QCOW2_AT_REFTABLE_OFFSET);
	uint64_t reftable_size = (uint64_t)qcow2_get32(prefix + QCOW2_AT_REFTABLE_CLUSTERS) << info->cluster_bits;

	info->l1_offset = qcow2_get64(prefix + QCOW2_AT_L1_OFFSET);
	info->l1_size = qcow2_get32(prefix + QCOW2_AT_L1_SIZE);
	if (info->l1_size < needed || info->l1_size > MAX_L1_BYTES / 8 || info->l1_offset % cluster != 0 ||
	    info->l1_offset == 0)
		return error_set(err, -EINVAL, "the image's first table is impossible: " QCOW2_DAMAGED);
	if (reftable_size == 0 || reftable_size > MAX_REFTABLE_BYTES || reftable % cluster != 0 || reftable == 0)
		return error_set(err, -EINVAL, "the image's table of reference counts is impossible: " QCOW2_DAMAGED);
	if (!inside(info->l1_offset, (uint64_t)info->l1_size * 8, file_size) ||
	    !inside(reftable, reftable_size, file_size))
		return error_set(err, -EINVAL,
				 "the image is cut off: its tables lie behind the end of the file; copy "
				 "it again");
	return 0;
}

static int check_extension(uint32_t type, struct error *err)
{
	if (type == QCOW2_EXTENSION_DATA_FILE)
		return error_set(err, -EINVAL, "the image names an external data file: " CONVERT);
	if (type == QCOW2_EXTENSION_ENCRYPTION)
		return error_set(err, -EINVAL, "the image has an encryption header: " CONVERT);
	return 0;
}

static int check_extensions(const uint8_t *prefix, size_t size, const struct qcow2_info *info, struct error *err)
{
	bool v3 = qcow2_get32(prefix + QCOW2_AT_VERSION) >= 3;
	uint64_t at = v3 ? qcow2_get32(prefix + QCOW2_AT_HEADER_LENGTH) : QCOW2_HEADER_SIZE_V2;
	uint64_t end = UINT64_C(1) << info->cluster_bits;

	if (at < (v3 ? QCOW2_HEADER_SIZE_V3 : QCOW2_HEADER_SIZE_V2) || at > end)
		return error_set(err, -EINVAL, "the image's header has an impossible length: " QCOW2_DAMAGED);
	if (v3 && at > QCOW2_AT_COMPRESSION && size > QCOW2_AT_COMPRESSION && prefix[QCOW2_AT_COMPRESSION] > 1)
		return error_set(err, -EINVAL, "the image is compressed by a method that is not known: " CONVERT);
	while (at + 8 <= end) {
		uint32_t type, length;
		int r;

		if (at + 8 > size)
			return error_set(err, -EINVAL, "the image's header does not end: " QCOW2_DAMAGED);
		type = qcow2_get32(prefix + at);
		length = qcow2_get32(prefix + at + 4);
		if (type == QCOW2_EXTENSION_END)
			return 0;
		r = check_extension(type, err);
		if (r < 0)
			return r;
		if (length > end - at - 8)
			return error_set(err, -EINVAL,
					 "the image's header has an extension without an end: " QCOW2_DAMAGED);
		at += 8 + (((uint64_t)length + 7) & ~UINT64_C(7));
	}
	return 0;
}

int qcow2_check(const uint8_t *prefix, size_t size, uint64_t file_size, struct qcow2_info *ret, struct error *err)
{
	struct qcow2_info info = {0};
	int r = check_kind(prefix, size, err);

	if (r == 0)
		r = check_features(prefix, err);
	if (r == 0)
		r = check_dimensions(prefix, &info, err);
	if (r == 0)
		r = check_extensions(prefix, size, &info, err);
	if (r == 0)
		r = check_tables(prefix, file_size, &info, err);
	if (r == 0)
		*ret = info;
	return r;
}
