/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QEMU's command line for a desktop, by one pure function. Nothing is opened by path and nothing listens on a network:
 * disks, kernel, sockets and memory are file descriptors.
 */
#ifndef HOST_ARGV_H
#define HOST_ARGV_H

#include "host/accel.h"

#include <stdbool.h>
#include <stdint.h>

/* The fds as QEMU gets them from hotdesk-spawn: 3 + their place in this order. */
enum vm_fd {
	VM_FD_LOG, /* stderr */
	VM_FD_QMP, /* listening sockets */
	VM_FD_AGENT,
	VM_FD_VDAGENT,
	VM_FD_IMAGE, /* read-only */
	VM_FD_OVERLAY,
	VM_FD_KERNEL, /* both or none */
	VM_FD_INITRD,
	VM_FDS,
};

struct argv_input {
	const char *id;
	enum accel accel; /* ACCEL_KVM or ACCEL_TCG */
	uint32_t memory_mib, vcpus;
	bool direct_boot;   /* VM_FD_KERNEL and VM_FD_INITRD are given */
	const char *append; /* the kernel's command line, with direct_boot */
	bool nat;           /* user network */
};

/* NULL-terminated, without argv[0]; the caller frees it with argv_free. NULL: out of memory. */
char **argv_make(const struct argv_input *input);
void argv_free(char **argv);
void argv_freep(char ***argv);

#endif
