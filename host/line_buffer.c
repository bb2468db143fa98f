/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/line_buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int line_buffer_append(struct line_buffer *buffer, const char *data, size_t size)
{
	size_t want = buffer->used + size + 1;

	if (size > buffer->max - buffer->used)
		return -EMSGSIZE;
	if (want > buffer->room) {
		size_t room = want < 2 * buffer->room ? 2 * buffer->room : want;
		char *larger = realloc(buffer->data, room);

		if (!larger)
			return -ENOMEM;
		buffer->data = larger;
		buffer->room = room;
	}
	if (size > 0)
		memcpy(buffer->data + buffer->used, data, size);
	buffer->used += size;
	buffer->data[buffer->used] = '\0';
	return 0;
}

int line_buffer_feed(struct line_buffer *buffer, const char *data, size_t size, line_fn fn, void *userdata)
{
	while (size > 0) {
		const char *end = memchr(data, '\n', size);
		size_t part = end ? (size_t)(end - data) : size, length;
		int r = line_buffer_append(buffer, data, part);

		if (r < 0 || !end)
			return r;
		length = buffer->used;
		if (length > 0 && buffer->data[length - 1] == '\r')
			buffer->data[--length] = '\0';
		buffer->used = 0;
		r = length > 0 ? fn(buffer->data, length, userdata) : 0;
		if (r < 0)
			return r;
		data += part + 1;
		size -= part + 1;
	}
	return 0;
}

void line_buffer_clear(struct line_buffer *buffer)
{
	free(buffer->data);
	buffer->data = NULL;
	buffer->used = buffer->room = 0;
}
