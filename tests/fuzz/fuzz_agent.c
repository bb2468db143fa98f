/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes on the agent's port: lines are found however the bytes are split, and what is understood is written back
 * the same. */
#include "common/cleanup.h"
#include "guest-agent/codec.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_line(const char *line, size_t size, void *userdata)
{
	_cleanup_free_ char *again = NULL;
	struct message message, back;
	size_t again_size;
	size_t *count = userdata;

	assert(size > 0 && size < CODEC_LINE_MAX && line[size] == '\0');
	(*count)++;
	if (message_parse(line, size, &message) < 0 || message.type == MESSAGE_UNKNOWN)
		return;
	if (message_write(&message, true, &again, &again_size) < 0)
		return;
	/* A version of 0 stands for none given and is never sent. */
	if (message.type == MESSAGE_READY || message.type == MESSAGE_HEARTBEAT || message.version > 0) {
		assert(message_parse(again, again_size - 1, &back) == 0);
		assert(back.type == message.type && back.version == message.version);
	}
}

static size_t count_lines(const char *data, size_t size, size_t step)
{
	struct lines lines = {0};
	size_t count = 0;

	for (size_t at = 0; at < size; at += step)
		if (lines_feed(&lines, data + at, size - at < step ? size - at : step, on_line, &count) < 0)
			break;
	lines_clear(&lines);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	assert(count_lines((const char *)data, size, 1) == count_lines((const char *)data, size, 4096));
	return 0;
}
