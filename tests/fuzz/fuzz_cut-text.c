/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One clipboard message of a viewer's, in parts: the first byte says which kind and how it is cut. */
#include "display/viewer/cut_text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cut_text_message read_in_parts(bool extended, const uint8_t *data, size_t size, size_t step)
{
	struct cut_text_message message = {.kind = CUT_TEXT_NONE};
	struct cut_text_reader reader;
	size_t at = 0;

	cut_text_reader_init(&reader, TEXT_MAX);
	do {
		size_t n = size - at < step ? size - at : step;

		message = cut_text_read(&reader, at == 0, at + n == size, extended, size, data + at, n);
		at += n;
	} while (at < size);
	cut_text_reader_done(&reader);
	assert(message.kind == CUT_TEXT_TEXT || !message.text);
	assert(message.size <= TEXT_MAX && (!message.text || !memchr(message.text, '\0', message.size)));
	return message;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cut_text_message whole, parts;

	if (size < 1)
		return 0;
	whole = read_in_parts(data[0] & 1, data + 1, size - 1, size);
	parts = read_in_parts(data[0] & 1, data + 1, size - 1, 1 + data[0] / 2);
	assert(whole.kind == parts.kind && whole.flags == parts.flags && whole.size == parts.size);
	assert(!whole.size || memcmp(whole.text, parts.text, whole.size) == 0);
	free(whole.text);
	free(parts.text);
	return 0;
}
