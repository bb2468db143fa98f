/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Cuts an over-long text in front of the UTF-8 sequence that vsnprintf may have split. */
static void error_trim(char *text, size_t size, int wanted)
{
	size_t end = size - 1;

	if (wanted < 0 || (size_t)wanted < size)
		return;
	while (end > 0 && ((unsigned char)text[end - 1] & 0xc0) == 0x80)
		end--;
	if (end > 0 && (unsigned char)text[end - 1] >= 0xc0)
		end--;
	text[end] = '\0';
}

int error_set(struct error *err, int code, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	err->code = code;
	error_trim(err->text, sizeof(err->text), vsnprintf(err->text, sizeof(err->text), format, args));
	va_end(args);
	return code;
}

int error_set_errno(struct error *err, int code, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	error_trim(text, sizeof(text), vsnprintf(text, sizeof(text), format, args));
	va_end(args);
	return error_set(err, code, "%s: %s", text, strerror(-code));
}

int error_prefix(struct error *err, const char *format, ...)
{
	char prefix[ERROR_TEXT_MAX], text[ERROR_TEXT_MAX];
	va_list args;

	if (!err)
		return 0;
	va_start(args, format);
	error_trim(prefix, sizeof(prefix), vsnprintf(prefix, sizeof(prefix), format, args));
	va_end(args);
	memcpy(text, err->text, sizeof(text));
	return error_set(err, err->code, "%s: %s", prefix, text);
}
