/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cuts a stream of bytes into lines of bounded length; pure. */
#ifndef HOST_LINE_BUFFER_H
#define HOST_LINE_BUFFER_H

#include <stddef.h>

struct line_buffer {
	char *data;
	size_t used, room;
	size_t max; /* bytes of a line without its newline; set by the owner, the rest starts zeroed */
};

/* line: NUL behind its size bytes, valid during the call. Negative: stop; the buffer may be gone by then. */
typedef int (*line_fn)(const char *line, size_t size, void *userdata);

/* Calls fn for each whole line that is not empty. 0, fn's negative value, -EMSGSIZE (a line over max) or -ENOMEM. */
int line_buffer_feed(struct line_buffer *buffer, const char *data, size_t size, line_fn fn, void *userdata);

/* Forgets half a line and gives its memory back. */
void line_buffer_clear(struct line_buffer *buffer);

#endif
