/* SPDX-License-Identifier: GPL-3.0-or-later */
/* [run-as] users of the configuration: a name or a number, empty for the caller's own. */
#ifndef COMMON_USER_H
#define COMMON_USER_H

#include <sys/types.h>

/*
 * A number without an entry in the user database is its own gid. -ENOENT: no such name. May ask the name service: only
 * for the start of a program. ret_gid may be NULL.
 */
int user_resolve(const char *user, uid_t *ret_uid, gid_t *ret_gid);

/* The group that may use /dev/kvm; 0: there is none. Never root's: then the device is not meant to be shared. */
gid_t user_kvm_group(void);

#endif
