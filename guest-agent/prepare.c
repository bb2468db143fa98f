/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/prepare.h"

#include "common/cleanup.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

static int parse_id(const char *text, uint32_t *ret)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || end == text || number == 0 || number >= UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)number;
	return 0;
}

static int copy(char *to, size_t size, const char *text, size_t length)
{
	if (length >= size)
		return -EINVAL;
	memcpy(to, text, length);
	to[length] = '\0';
	return 0;
}

static int parse_groups(const char *text, struct person *person)
{
	while (*text) {
		size_t length = strcspn(text, ",");

		if (person->n_groups >= CODEC_GROUPS_MAX ||
		    copy(person->groups[person->n_groups++], CODEC_GROUP_MAX, text, length) < 0)
			return -EINVAL;
		text += length + (text[length] == ',');
	}
	return 0;
}

int prepare_parse(char *const arguments[PREPARE_ARGUMENTS], struct person *ret)
{
	*ret = (struct person){0};
	if (copy(ret->name, sizeof(ret->name), arguments[0], strlen(arguments[0])) < 0 ||
	    parse_id(arguments[1], &ret->uid) < 0 || parse_id(arguments[2], &ret->gid) < 0 ||
	    copy(ret->full_name, sizeof(ret->full_name), arguments[3], strlen(arguments[3])) < 0)
		return -EINVAL;
	return parse_groups(arguments[4], ret);
}

/* Its stderr is ours, so that its own words are the reason. */
static int run(const char *const *argv, struct error *err)
{
	pid_t pid;
	int status, r = posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv, environ);

	if (r != 0)
		return error_set(err, -r, "%s cannot be started: %s", argv[0], strerror(r));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_set(err, -errno, "%s: %s", argv[0], strerror(errno));
	if (status != 0)
		return error_set(err, -EIO, "%s", "");
	return 0;
}

static int check_uid(const struct person *person, struct error *err)
{
	if (person->uid < ACCOUNT_UID_MIN || person->uid == ACCOUNT_UID_NOBODY)
		return error_set(err, -EPERM,
				 "uid %u of %s is one of the system's accounts; desktops are for uids from %u on",
				 (unsigned)person->uid, person->name, ACCOUNT_UID_MIN);
	return 0;
}

static int taken(const struct person *person, const struct passwd *by, struct error *err)
{
	return error_set(err, -EEXIST,
			 "the name %s is that of %s account (uid %u) in this desktop; take that account out of the "
			 "image, or give %s another name",
			 by->pw_name, by->pw_uid < ACCOUNT_UID_MIN ? "a system" : "another", (unsigned)by->pw_uid,
			 person->name);
}

/* name: the one for an account that is to be made. */
static int choose_name(const struct person *person, char *name, struct error *err)
{
	const struct passwd *other = getpwnam(name);

	if (other && !account_name_is_unix(person->name)) {
		account_name_add_uid(name, person->uid);
		other = getpwnam(name);
	}
	return other ? taken(person, other, err) : 0;
}

/* *ret_there: the account is there, under `name`. */
static int find_account(const struct person *person, char *name, bool *ret_there, struct error *err)
{
	const struct passwd *there = getpwuid(person->uid);
	char with_uid[ACCOUNT_NAME_MAX];

	account_name(person->name, name);
	*ret_there = there;
	if (!there)
		return choose_name(person, name, err);
	memcpy(with_uid, name, sizeof(with_uid));
	if (!account_name_is_unix(person->name))
		account_name_add_uid(with_uid, person->uid);
	if (strcmp(there->pw_name, name) != 0 && strcmp(there->pw_name, with_uid) != 0)
		return error_set(err, -EEXIST,
				 "uid %u of %s is that of %s in this desktop; take that account out of the image",
				 (unsigned)person->uid, person->name, there->pw_name);
	memcpy(name, there->pw_name, strlen(there->pw_name) + 1);
	return 0;
}

static int check_groups(const struct person *person, struct error *err)
{
	for (size_t i = 0; i < person->n_groups; i++)
		if (!getgrnam(person->groups[i]))
			return error_set(err, -ENOENT,
					 "this desktop has no group %s; add it to the image, or take it out of the "
					 "pool's guest-groups",
					 person->groups[i]);
	return 0;
}

static int make_group(const struct person *person, const char *name, struct error *err)
{
	uint32_t gid = person->gid < ACCOUNT_UID_MIN ? person->uid : person->gid;
	char number[16], group[ACCOUNT_NAME_MAX];

	if (getgrgid(gid))
		return 0;
	snprintf(number, sizeof(number), "%u", (unsigned)gid);
	if (getgrnam(name))
		snprintf(group, sizeof(group), "group-%u", (unsigned)gid);
	else
		snprintf(group, sizeof(group), "%s", name);
	return run((const char *const[]){"groupadd", "-g", number, group, NULL}, err);
}

static int make_account(const struct person *person, const char *name, const char *full_name, struct error *err)
{
	uint32_t gid = person->gid < ACCOUNT_UID_MIN ? person->uid : person->gid;
	char uid_text[16], gid_text[16];

	snprintf(uid_text, sizeof(uid_text), "%u", (unsigned)person->uid);
	snprintf(gid_text, sizeof(gid_text), "%u", (unsigned)gid);
	return run((const char *const[]){"useradd", "-u", uid_text, "-g", gid_text, "-c", full_name, "-s", "/bin/bash",
					 "-m", name, NULL},
		   err);
}

static int set_account(const struct person *person, const char *name, const char *full_name, struct error *err)
{
	char groups[CODEC_GROUPS_MAX * (CODEC_GROUP_MAX + 1)] = "";
	size_t used = 0;

	for (size_t i = 0; i < person->n_groups; i++)
		used +=
		    (size_t)snprintf(groups + used, sizeof(groups) - used, "%s%s", i > 0 ? "," : "", person->groups[i]);
	return run((const char *const[]){"usermod", "-c", full_name, "-G", groups, name, NULL}, err);
}

int prepare_user(const struct person *person, char ret_name[ACCOUNT_NAME_MAX], struct error *err)
{
	char full_name[ACCOUNT_FULL_NAME_MAX];
	bool there = false;
	int r = check_uid(person, err);

	account_full_name(person->full_name, full_name, sizeof(full_name));
	if (r == 0)
		r = find_account(person, ret_name, &there, err);
	if (r == 0)
		r = check_groups(person, err);
	if (r == 0 && !there) {
		r = make_group(person, ret_name, err);
		if (r == 0)
			r = make_account(person, ret_name, full_name, err);
	}
	return r < 0 ? r : set_account(person, ret_name, full_name, err);
}
