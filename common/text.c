/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/text.h"

#include <stdint.h>
#include <string.h>

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

static bool point_is_printable(uint32_t point)
{
	return point >= 0x20 && (point < 0x7f || point >= 0xa0) && !(point >= 0x200e && point <= 0x200f) &&
	       !(point >= 0x2028 && point <= 0x202e) && !(point >= 0x2066 && point <= 0x2069);
}

bool text_is_printable(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p) {
		uint32_t point = 0;
		size_t n = utf8_decode(p, &point);

		if (n == 0 || !point_is_printable(point))
			return false;
		p += n;
	}
	return true;
}

void text_copy_printable(const char *text, char *ret, size_t size)
{
	const unsigned char *p = (const unsigned char *)(text ? text : "");
	size_t used = 0;

	while (*p && used + 1 < size) {
		uint32_t point = 0;
		size_t n = utf8_decode(p, &point);

		if (n == 0 || !point_is_printable(point)) {
			ret[used++] = ' ';
			p += n > 0 ? n : 1;
			continue;
		}
		if (used + n >= size)
			break;
		memcpy(ret + used, p, n);
		used += n;
		p += n;
	}
	ret[used] = '\0';
}
