/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layout of a qcow2 file: docs/interop/qcow2.txt of QEMU. All numbers are big-endian. */
#ifndef HOST_QCOW2_FORMAT_H
#define HOST_QCOW2_FORMAT_H

#include <stdint.h>

#define QCOW2_MAGIC 0x514649fbu
#define QCOW2_MIN_CLUSTER_BITS 9
#define QCOW2_MAX_CLUSTER_BITS 21
#define QCOW2_HEADER_SIZE_V2 72
#define QCOW2_HEADER_SIZE_V3 104
#define QCOW2_OFFSET_MASK UINT64_C(0x00fffffffffffe00) /* of L1 entries and of standard L2 entries */
#define QCOW2_COMPRESSED (UINT64_C(1) << 62)
#define QCOW2_MAX_VIRTUAL_SIZE (UINT64_C(16) << 40)

enum qcow2_field {
	QCOW2_AT_MAGIC = 0,
	QCOW2_AT_VERSION = 4,
	QCOW2_AT_BACKING_OFFSET = 8,
	QCOW2_AT_BACKING_SIZE = 16,
	QCOW2_AT_CLUSTER_BITS = 20,
	QCOW2_AT_VIRTUAL_SIZE = 24,
	QCOW2_AT_CRYPT = 32,
	QCOW2_AT_L1_SIZE = 36,
	QCOW2_AT_L1_OFFSET = 40,
	QCOW2_AT_REFTABLE_OFFSET = 48,
	QCOW2_AT_REFTABLE_CLUSTERS = 56,
	QCOW2_AT_SNAPSHOTS = 60,
	QCOW2_AT_INCOMPATIBLE = 72,
	QCOW2_AT_REFCOUNT_ORDER = 96,
	QCOW2_AT_HEADER_LENGTH = 100,
	QCOW2_AT_COMPRESSION = 104,
};

#define QCOW2_INCOMPATIBLE_CORRUPT (UINT64_C(1) << 1)
#define QCOW2_INCOMPATIBLE_DATA_FILE (UINT64_C(1) << 2)
#define QCOW2_INCOMPATIBLE_COMPRESSION (UINT64_C(1) << 3)
#define QCOW2_INCOMPATIBLE_EXTENDED_L2 (UINT64_C(1) << 4)
#define QCOW2_INCOMPATIBLE_KNOWN UINT64_C(0x1f) /* bit 0: dirty, harmless where nothing is written */

#define QCOW2_EXTENSION_END 0u
#define QCOW2_EXTENSION_DATA_FILE 0x44415441u
#define QCOW2_EXTENSION_ENCRYPTION 0x0537be77u

static inline uint32_t qcow2_get32(const uint8_t *data)
{
	return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static inline uint64_t qcow2_get64(const uint8_t *data)
{
	return (uint64_t)qcow2_get32(data) << 32 | qcow2_get32(data + 4);
}

#endif
