/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What hotdesk-spawn starts, compiled in: nothing a caller sends changes the binary, the uid range or the limits. */
#ifndef SPAWN_TABLE_H
#define SPAWN_TABLE_H

#include "host/spawn/spawn_api.h"

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

enum spawn_peer { SPAWN_PEER_HOST, SPAWN_PEER_BROKER };

struct spawn_entry {
	const char *name;     /* of its records: NAME-SLOT */
	const char *path;     /* absolute, or a name beside hotdesk-spawn's own binary */
	enum spawn_peer peer; /* who may ask for it */
	bool upper_uids;      /* uids of the upper half of the range (viewers) instead of the lower (desktops) */
	bool kvm;             /* keeps the group of /dev/kvm */
	bool activated;       /* its first fd is a listening socket, in the manner of sd_listen_fds(3) */
	bool scratch;         /* wants a directory to write to: an empty /tmp of its own, with CLONE_NEWNS */
	int namespaces;       /* CLONE_NEW* of its own, where spawn is root and the kernel lets it */
	rlim_t max_files;     /* RLIMIT_NOFILE */
	rlim_t max_processes; /* RLIMIT_NPROC of its uid, threads counted */
	const char *const
	    *denied; /* system calls that fail with EPERM, NULL-terminated; NULL: it brings its own filter */
};

extern const struct spawn_entry spawn_table[SPAWN_KINDS];

#endif
