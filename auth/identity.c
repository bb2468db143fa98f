/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/identity.h"

#include "auth/auth_client.h"
#include "common/cleanup.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#define NSS_BUFFER_MAX (1u << 20)
#define NSS_GROUP_MAX (1u << 24)

/* 0 with *ret_found; the entry's strings live in *ret_buffer (the caller's). */
static int user_by_name(const char *name, struct passwd *entry, char **ret_buffer, struct passwd **ret_found)
{
	for (size_t size = 4096; size <= NSS_BUFFER_MAX; size *= 2) {
		_cleanup_free_ char *buffer = malloc(size);
		int r;

		if (!buffer)
			return -ENOMEM;
		r = getpwnam_r(name, entry, buffer, size, ret_found);
		if (r == ERANGE)
			continue;
		/* NSS modules answer an unknown name by several error numbers (getpwnam(3)). */
		if (r != 0 && r != ENOENT && r != ESRCH && r != EBADF && r != EPERM)
			return -r;
		if (r != 0)
			*ret_found = NULL;
		*ret_buffer = steal_ptr(buffer);
		return 0;
	}
	return -ERANGE;
}

/* Groups hold their members' names: those of a whole company are large. */
static int group_by_gid(gid_t gid, struct group *entry, char **ret_buffer, struct group **ret_found)
{
	for (size_t size = 4096; size <= NSS_GROUP_MAX; size *= 4) {
		_cleanup_free_ char *buffer = malloc(size);
		int r;

		if (!buffer)
			return -ENOMEM;
		r = getgrgid_r(gid, entry, buffer, size, ret_found);
		if (r == ERANGE)
			continue;
		if (r != 0 || !*ret_found)
			return -ENOENT;
		*ret_buffer = steal_ptr(buffer);
		return 0;
	}
	return -ERANGE;
}

/* A group without a usable name gives no right, so it is left out. */
static void add_group(gid_t gid, struct attempt_result *result)
{
	_cleanup_free_ char *buffer = NULL;
	struct group entry, *found = NULL;
	size_t size;

	if (group_by_gid(gid, &entry, &buffer, &found) < 0 || !attempt_name_valid(found->gr_name))
		return;
	size = strlen(found->gr_name) + 1;
	if (size > ATTEMPT_GROUPS_SIZE - result->groups_size)
		return;
	memcpy(result->groups + result->groups_size, found->gr_name, size);
	result->groups_size += (uint32_t)size;
}

static void add_groups(const char *name, gid_t gid, struct attempt_result *result)
{
	gid_t groups[IDENTITY_GROUPS_MAX];
	int n = IDENTITY_GROUPS_MAX;

	/* Of more groups than fit the first ones count. */
	if (getgrouplist(name, gid, groups, &n) < 0)
		n = IDENTITY_GROUPS_MAX;
	for (int i = 0; i < n; i++)
		add_group(groups[i], result);
}

int identity_look_up(const char *name, struct attempt_result *result)
{
	_cleanup_free_ char *buffer = NULL;
	struct passwd entry, *found = NULL;
	int r = user_by_name(name, &entry, &buffer, &found);

	if (r < 0)
		return r;
	if (!found) {
		snprintf(result->name, sizeof(result->name), "%s", name);
		result->uid = AUTH_UID_UNKNOWN;
		result->gid = AUTH_UID_UNKNOWN;
		return 0;
	}
	if (!attempt_name_valid(found->pw_name))
		return -EINVAL;
	snprintf(result->name, sizeof(result->name), "%s", found->pw_name);
	/* The full name is GECOS' first field (passwd(5)). */
	snprintf(result->full_name, sizeof(result->full_name), "%.*s", (int)strcspn(found->pw_gecos, ","),
		 found->pw_gecos);
	attempt_text_clean(result->full_name);
	result->uid = found->pw_uid;
	result->gid = found->pw_gid;
	add_groups(found->pw_name, found->pw_gid, result);
	return 0;
}
