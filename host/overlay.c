/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/overlay.h"

#include "host/qcow2_format.h"

#include <errno.h>
#include <stdlib.h>

#define CLUSTER_BITS 16u
#define CLUSTER ((size_t)1 << CLUSTER_BITS)
#define L1_ENTRY_BITS (2 * CLUSTER_BITS - 3) /* virtual bytes of one L1 entry: 512 MiB */
#define REFCOUNT_ORDER 4u                    /* 16 bits */

enum cluster_index { HEADER, REFTABLE, REFBLOCK, L1_TABLE };

static void put32(uint8_t *data, uint32_t value)
{
	for (int i = 3; i >= 0; i--, value >>= 8)
		data[i] = (uint8_t)value;
}

static void put64(uint8_t *data, uint64_t value)
{
	put32(data, (uint32_t)(value >> 32));
	put32(data + 4, (uint32_t)value);
}

static void put_header(uint8_t *data, uint64_t virtual_size, uint32_t l1_size)
{
	put32(data + QCOW2_AT_MAGIC, QCOW2_MAGIC);
	put32(data + QCOW2_AT_VERSION, 3);
	put32(data + QCOW2_AT_CLUSTER_BITS, CLUSTER_BITS);
	put64(data + QCOW2_AT_VIRTUAL_SIZE, virtual_size);
	put32(data + QCOW2_AT_L1_SIZE, l1_size);
	put64(data + QCOW2_AT_L1_OFFSET, L1_TABLE * CLUSTER);
	put64(data + QCOW2_AT_REFTABLE_OFFSET, REFTABLE * CLUSTER);
	put32(data + QCOW2_AT_REFTABLE_CLUSTERS, 1);
	put32(data + QCOW2_AT_REFCOUNT_ORDER, REFCOUNT_ORDER);
	put32(data + QCOW2_AT_HEADER_LENGTH, QCOW2_HEADER_SIZE_V3);
}

int overlay_make(uint64_t virtual_size, uint8_t **ret, size_t *ret_size)
{
	uint64_t l1_size, clusters;
	uint8_t *data;

	if (virtual_size == 0 || virtual_size > QCOW2_MAX_VIRTUAL_SIZE)
		return -EINVAL;
	l1_size = (virtual_size + (UINT64_C(1) << L1_ENTRY_BITS) - 1) >> L1_ENTRY_BITS;
	clusters = L1_TABLE + (l1_size * 8 + CLUSTER - 1) / CLUSTER;
	data = calloc(clusters, CLUSTER);
	if (!data)
		return -ENOMEM;
	put_header(data, virtual_size, (uint32_t)l1_size);
	put64(data + REFTABLE * CLUSTER, REFBLOCK * CLUSTER);
	for (size_t i = 0; i < clusters; i++)
		data[REFBLOCK * CLUSTER + 2 * i + 1] = 1;
	*ret = data;
	*ret_size = clusters * CLUSTER;
	return 0;
}
