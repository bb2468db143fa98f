/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/spawn/table.h"

#include <sched.h>

/* What no screen, display or sound daemon has any use for and what would widen a hole in them: modules, mounts,
 * namespaces, keyrings, tracing of others. These calls fail with EPERM from before the program is executed until it
 * ends; all others are allowed. */
static const char *const denied[] = {
    "acct",
    "add_key",
    "bpf",
    "chroot",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsmount",
    "fsopen",
    "init_module",
    "io_uring_setup",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "mount",
    "mount_setattr",
    "move_mount",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pidfd_getfd",
    "pivot_root",
    "process_vm_readv",
    "process_vm_writev",
#ifndef __SANITIZE_ADDRESS__ /* LeakSanitizer stops its own process by it */
    "ptrace",
#endif
    "quotactl",
    "reboot",
    "request_key",
    "setns",
    "swapoff",
    "swapon",
    "umount2",
    "unshare",
    "userfaultfd",
    NULL,
};

const struct spawn_entry spawn_table[SPAWN_KINDS] = {
    [SPAWN_QEMU] =
	{
	    .name = "qemu",
	    .path = "/usr/bin/qemu-system-x86_64",
	    .peer = SPAWN_PEER_HOST,
	    .kvm = true,
	    .namespaces = CLONE_NEWIPC, /* its user network needs this machine's */
	    .max_files = 1024,
	    .max_processes = 512,
	},
    /* The screen shares its desktop's uid, so that both count into one RLIMIT_NPROC. */
    [SPAWN_SCREEN] =
	{
	    .name = "screen",
	    .path = "hotdesk-screen",
	    .peer = SPAWN_PEER_BROKER,
	    .namespaces = CLONE_NEWIPC | CLONE_NEWNET,
	    .max_files = 1024,
	    .max_processes = 512,
	    .denied = denied,
	},
    [SPAWN_DISPLAY] =
	{
	    .name = "display",
	    .path = "hotdesk-display",
	    .peer = SPAWN_PEER_BROKER,
	    .upper_uids = true,
	    .namespaces = CLONE_NEWIPC | CLONE_NEWNET,
	    .max_files = 256,
	    .max_processes = 64,
	    .denied = denied,
	},
    /* Hears its own desktop alone: what connects to it was given its socket. */
    [SPAWN_SOUND] =
	{
	    .name = "sound",
	    .path = SPAWN_SOUND_PROGRAM,
	    .peer = SPAWN_PEER_BROKER,
	    .activated = true,
	    .scratch = true,
	    .namespaces = CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS,
	    .max_files = 256,
	    .max_processes = 512,
	    .denied = denied,
	},
};
