/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The empty qcow2 file that a clone starts with. It names no backing file: QEMU is told the chain by -blockdev. */
#ifndef HOST_OVERLAY_H
#define HOST_OVERLAY_H

#include <stddef.h>
#include <stdint.h>

/*
 * Pure: the bytes of an empty qcow2 version 3 file for a disk of virtual_size bytes (clusters of 64 KiB), at most
 * 448 KiB. *ret is the caller's (free). -EINVAL: 0 or over 16 TiB. -ENOMEM.
 */
int overlay_make(uint64_t virtual_size, uint8_t **ret, size_t *ret_size);

#endif
