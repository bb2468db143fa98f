/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a person's account in this guest is called; pure. */
#ifndef GUEST_AGENT_ACCOUNT_H
#define GUEST_AGENT_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACCOUNT_NAME_MAX 33       /* with the NUL; useradd(8): 32 bytes */
#define ACCOUNT_FULL_NAME_MAX 256 /* with the NUL */
#define ACCOUNT_UID_MIN 1000      /* below: accounts of the system (login.defs(5), UID_MIN of Debian) */
#define ACCOUNT_UID_NOBODY 65534

/* [a-z_][a-z0-9_-]{0,31}, as useradd takes it. */
bool account_name_is_unix(const char *name);

/*
 * The account's name for a company name: the name itself where it is one of Unix; else what stands behind DOMAIN\ or
 * in front of @domain, in lower case, with other characters as '_'. Leaves room for account_name_add_uid.
 */
void account_name(const char *company, char ret[ACCOUNT_NAME_MAX]);
/* Adds "-UID", for a derived name that somebody else has. */
void account_name_add_uid(char name[ACCOUNT_NAME_MAX], uint32_t uid);

/* The full name for the account's GECOS field: ':', ',', '=' and control characters become blanks. */
void account_full_name(const char *full_name, char *ret, size_t size);

#endif
