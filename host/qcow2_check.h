/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whether a foreign qcow2 file may be opened by QEMU at all: one that names other files (backing file, external data
 * file), is encrypted, damaged, cut off or of absurd dimensions is refused before QEMU sees it.
 */
#ifndef HOST_QCOW2_CHECK_H
#define HOST_QCOW2_CHECK_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QCOW2_PREFIX_MAX 65536u /* as much of the file's beginning as qcow2_check needs at most */

/* What can be done about such a file, for the end of a text. */
#define QCOW2_DAMAGED "the file is damaged; copy it again, or see what `qemu-img check` says of it"

struct qcow2_info {
	uint64_t virtual_size; /* bytes */
	uint32_t cluster_bits;
	bool extended_l2; /* L2 entries of 16 bytes */
	uint64_t l1_offset;
	uint32_t l1_size; /* entries */
};

/*
 * Pure. prefix: the first min(file_size, QCOW2_PREFIX_MAX) bytes. 0, or negative errno with err's text for the person
 * who imports the file.
 */
int qcow2_check(const uint8_t *prefix, size_t size, uint64_t file_size, struct qcow2_info *ret, struct error *err);

/*
 * Reads the L1 and L2 tables and refuses a file whose data lies behind its end (a download that was cut off). For a
 * worker thread. 0 or negative errno with err's text.
 */
int qcow2_check_tables(int fd, const struct qcow2_info *info, uint64_t file_size, struct error *err);

#endif
