/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/kept.h"

#include "broker/admin_json.h"
#include "common/cleanup.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

int kept_read(int fd, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	struct stat st;
	ssize_t n = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < 0 || (uintmax_t)st.st_size > KEPT_MAX)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (size < (size_t)st.st_size && (n = pread(fd, text + size, (size_t)st.st_size - size, (off_t)size)) > 0)
		size += (size_t)n;
	if (n < 0)
		return -errno;
	text[size] = '\0';
	*ret = steal_ptr(text);
	*ret_size = size;
	return 0;
}

/* JSON is UTF-8; the locale is. */
static void make_valid(char *text, size_t size)
{
	mbstate_t state = {0};

	for (size_t at = 0; at < size;) {
		size_t n = mbrtowc(NULL, text + at, size - at, &state);

		if (n == 0 || n > size - at) {
			text[at] = '?';
			state = (mbstate_t){0};
			n = 1;
		}
		at += n;
	}
}

static int print_json(const char *reply, char *text, size_t size)
{
	_cleanup_(json_putp) struct json_object *object = json_tokener_parse(reply);

	make_valid(text, size);
	if (!json_object_is_type(object, json_type_object))
		return -EBADMSG;
	json_add_text(object, "text", text);
	printf("%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_NOSLASHESCAPE));
	return 0;
}

int kept_print(int fd, const char *reply, bool json)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r = kept_read(fd, &text, &size);

	if (r < 0)
		return r;
	if (json)
		return print_json(reply, text, size);
	return fwrite(text, 1, size, stdout) == size ? 0 : -errno;
}
