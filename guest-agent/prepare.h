/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Makes the account of a person who signs in, in a process of its own (`hotdesk-agent --prepare-user`), since it asks
 * the guest's name service and waits for useradd(8), usermod(8) and groupadd(8).
 */
#ifndef GUEST_AGENT_PREPARE_H
#define GUEST_AGENT_PREPARE_H

#include "common/error.h"
#include "guest-agent/account.h"
#include "guest-agent/codec.h"

#define PREPARE_ARGUMENTS 5 /* NAME UID GID FULL_NAME GROUPS (with commas; "": none) */

/* -EINVAL: not what prepare_user can take. */
int prepare_parse(char *const arguments[PREPARE_ARGUMENTS], struct person *ret);

/*
 * The account has the uid, the full name and exactly these groups, its home is there; it has no password. A gid below
 * ACCOUNT_UID_MIN is not taken over (it may mean anything in this guest): the account gets a group of its own. 0 or
 * -errno with the reason; where a program failed the reason is empty: the program has said it on stderr.
 */
int prepare_user(const struct person *person, char ret_name[ACCOUNT_NAME_MAX], struct error *err);

#endif
