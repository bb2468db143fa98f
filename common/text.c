/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/text.h"

#include <stdint.h>
#include <string.h>

size_t text_decode(const char *bytes, size_t size, uint32_t *ret)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} forms[] = {{0x80, 0, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
	const unsigned char *text = (const unsigned char *)bytes;

	for (size_t n = 0; n < 4 && n < size; n++) {
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
	size_t left = strlen(text);

	for (size_t n; left > 0; text += n, left -= n) {
		uint32_t point = 0;

		n = text_decode(text, left, &point);
		if (n == 0 || !point_is_printable(point))
			return false;
	}
	return true;
}

void text_copy_printable(const char *text, char *ret, size_t size)
{
	size_t used = 0, left = text ? strlen(text) : 0;

	for (size_t n; left > 0 && used + 1 < size; text += n, left -= n) {
		uint32_t point = 0;

		n = text_decode(text, left, &point);
		if (n == 0 || !point_is_printable(point)) {
			ret[used++] = ' ';
			n = n > 0 ? n : 1;
			continue;
		}
		if (used + n >= size)
			break;
		memcpy(ret + used, text, n);
		used += n;
	}
	ret[used] = '\0';
}

void text_mend(char *text, size_t size)
{
	size_t n;

	for (size_t at = 0; at < size; at += n) {
		uint32_t point = 0;

		n = text_decode(text + at, size - at, &point);
		if (n == 0 || point == 0) {
			text[at] = '?';
			n = 1;
		}
	}
}
