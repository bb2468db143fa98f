/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/account.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyz_"
#define ALLOWED LETTERS "0123456789-"
#define UID_DIGITS 11 /* of a 32-bit number, and the '-' */

bool account_name_is_unix(const char *name)
{
	size_t size = strlen(name);

	return size > 0 && size < ACCOUNT_NAME_MAX && strchr(LETTERS, name[0]) && strspn(name, ALLOWED) == size;
}

/* ASCII only: what belongs to a longer UTF-8 sequence becomes '_' byte by byte. */
static char name_character(char c)
{
	c = (char)tolower((unsigned char)c);
	return c != '\0' && strchr(ALLOWED, c) ? c : '_';
}

void account_name(const char *company, char ret[ACCOUNT_NAME_MAX])
{
	const char *from = strrchr(company, '\\');
	size_t size, used = 0;

	if (account_name_is_unix(company)) {
		memcpy(ret, company, strlen(company) + 1);
		return;
	}
	from = from ? from + 1 : company;
	size = strcspn(from, "@");
	/* A name begins with a letter. */
	if (size == 0 || !strchr(LETTERS, name_character(from[0])))
		ret[used++] = 'u';
	for (size_t i = 0; i < size && used < ACCOUNT_NAME_MAX - 1 - UID_DIGITS; i++)
		ret[used++] = name_character(from[i]);
	ret[used] = '\0';
}

void account_name_add_uid(char name[ACCOUNT_NAME_MAX], uint32_t uid)
{
	size_t used = strlen(name);

	snprintf(name + used, ACCOUNT_NAME_MAX - used, "-%u", (unsigned)uid);
}

void account_full_name(const char *full_name, char *ret, size_t size)
{
	size_t used = 0;

	for (; *full_name && used + 1 < size; full_name++)
		ret[used++] = strchr(":,=", *full_name) || iscntrl((unsigned char)*full_name) ? ' ' : *full_name;
	ret[used] = '\0';
}
