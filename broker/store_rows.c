/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/store_rows.h"

#include <errno.h>
#include <string.h>

static const char *const pool_kinds[] = {"floating", "dedicated"};
static const char *const entitlement_kinds[] = {"user", "group"};
static const char *const wanted_states[] = {"running", "stopped", "absent"};
static const char *const session_states[] = {"active", "disconnected", "ended"};

const char *pool_kind_text(enum pool_kind kind)
{
	return pool_kinds[kind];
}

int pool_kind_from_text(const char *text, enum pool_kind *ret)
{
	for (size_t i = 0; i < sizeof(pool_kinds) / sizeof(pool_kinds[0]); i++)
		if (strcmp(text, pool_kinds[i]) == 0) {
			*ret = (enum pool_kind)i;
			return 0;
		}
	return -EINVAL;
}

const char *entitlement_kind_text(enum entitlement_kind kind)
{
	return entitlement_kinds[kind];
}

const char *desktop_wanted_text(enum desktop_wanted wanted)
{
	return wanted_states[wanted];
}

const char *session_state_text(enum session_state state)
{
	return session_states[state];
}

bool name_is_valid(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t length = strlen(name);

	return length > 0 && length < STORE_NAME_SIZE && name[0] != '-' && strspn(name, allowed) == length;
}

bool desktop_id_is_valid(const char *id)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t length = strlen(id);

	return length > 0 && length < HOST_DESKTOP_ID_MAX && strspn(id, allowed) == length;
}

/* The length of one well-formed UTF-8 sequence (RFC 3629) and its code point; 0 when it is none. */
static size_t utf8_decode(const unsigned char *text, uint32_t *ret)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = {{0x80, 0, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

	for (size_t n = 0; n < 4; n++) {
		uint32_t point = text[0] & (unsigned char)~forms[n].mask;

		if ((text[0] & forms[n].mask) != forms[n].lead)
			continue;
		for (size_t i = 1; i <= n; i++) {
			if ((text[i] & 0xc0) != 0x80)
				return 0;
			point = point << 6 | (text[i] & 0x3f);
		}
		if (point < forms[n].least || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
			return 0;
		*ret = point;
		return n + 1;
	}
	return 0;
}

/* No control characters (C0, DEL, C1), nor the line separators and direction marks that would forge a table's line. */
static bool point_is_printable(uint32_t point)
{
	return point >= 0x20 && (point < 0x7f || point >= 0xa0) && !(point >= 0x2028 && point <= 0x202e) &&
	       !(point >= 0x2066 && point <= 0x2069);
}

bool user_is_valid(const char *name)
{
	const unsigned char *p = (const unsigned char *)name;
	size_t length = strlen(name);

	if (length == 0 || length >= STORE_USER_SIZE)
		return false;
	while (*p) {
		uint32_t point = 0;
		size_t n = utf8_decode(p, &point);

		if (n == 0 || !point_is_printable(point))
			return false;
		p += n;
	}
	return true;
}
