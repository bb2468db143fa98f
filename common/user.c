/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/user.h"

#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int user_by_number(const char *user, uid_t *ret_uid, gid_t *ret_gid)
{
	struct passwd *entry;
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(user, &end, 10);
	if (errno != 0 || end == user || *end != '\0' || number >= UINT32_MAX)
		return -EINVAL;
	entry = getpwuid((uid_t)number);
	*ret_uid = (uid_t)number;
	*ret_gid = entry ? entry->pw_gid : (gid_t)number;
	return 0;
}

int user_resolve(const char *user, uid_t *ret_uid, gid_t *ret_gid)
{
	uid_t uid = getuid();
	gid_t gid = getgid();

	if (user[0] != '\0' && user_by_number(user, &uid, &gid) < 0) {
		struct passwd *entry = getpwnam(user);

		if (!entry)
			return -ENOENT;
		uid = entry->pw_uid;
		gid = entry->pw_gid;
	}
	*ret_uid = uid;
	if (ret_gid)
		*ret_gid = gid;
	return 0;
}

gid_t user_kvm_group(void)
{
	struct stat device;

	return stat("/dev/kvm", &device) == 0 && (device.st_mode & S_IWGRP) ? device.st_gid : 0;
}
