/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/ini_text.h"

#include <errno.h>
#include <ini.h>
#include <string.h>

/* inih's buffer holds a line with its end and a NUL; it would read what is behind as the next line. */
#define LINE_MAX_BYTES (INI_MAX_LINE - 3)

struct reader {
	ini_text_fn pair;
	void *userdata;
	struct error *err;
	int r;
};

static int on_pair(void *userdata, const char *section, const char *name, const char *value)
{
	struct reader *reader = userdata;

	/* inih goes on after an error; the first one is told. */
	if (reader->r == 0)
		reader->r = reader->pair(section, name, value, reader->userdata, reader->err);
	return reader->r == 0;
}

static int check_lines(const char *name, const char *text, struct error *err)
{
	int line = 1;

	for (const char *at = text; *at != '\0'; line++) {
		size_t length = strcspn(at, "\n");

		if (length > LINE_MAX_BYTES)
			return error_set(err, -E2BIG, "%s:%d: the line is longer than %d bytes", name, line,
					 LINE_MAX_BYTES);
		at += length + (at[length] == '\n');
	}
	return 0;
}

int ini_text_read(const char *name, const char *text, size_t size, ini_text_fn pair, void *userdata, struct error *err)
{
	struct reader reader = {.pair = pair, .userdata = userdata, .err = err};
	int line, r;

	if (memchr(text, '\0', size))
		return error_set(err, -EINVAL, "%s: holds a NUL byte: it is not a text file", name);
	r = check_lines(name, text, err);
	if (r < 0)
		return r;
	line = ini_parse_string(text, on_pair, &reader);
	if (line == 0)
		return 0;
	if (reader.r == 0)
		return line > 0 ? error_set(err, -EINVAL, "%s:%d: neither [section] nor key = value", name, line)
				: error_set(err, -ENOMEM, "%s: out of memory", name);
	error_prefix(err, "%s:%d", name, line);
	return reader.r;
}
