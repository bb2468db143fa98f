/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes on com.redhat.spice.0: messages are found however the bytes are split, and are within their sizes. */
#include "common/vdagent.h"

#include <assert.h>
#include <stdlib.h>

#define TEXT_MAX 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct vdagent_message *message)
{
	static const uint32_t all_caps[] = {0, VDAGENT_CAP(CLIPBOARD_SELECTION),
					    VDAGENT_CAP(CLIPBOARD_SELECTION) | VDAGENT_CAP(CLIPBOARD_GRAB_SERIAL)};
	struct vdagent_clipboard clipboard;
	uint32_t caps, sum = 0;
	bool request;

	assert(message->skipped ? !message->data && !message->size : message->size <= 4096);
	for (size_t i = 0; i < message->size; i++)
		sum += message->data[i];
	(void)sum;
	for (size_t i = 0; i < sizeof(all_caps) / sizeof(all_caps[0]); i++)
		if (vdagent_read_clipboard(message, all_caps[i], &clipboard) == 0)
			assert(clipboard.selection < VDAGENT_SELECTIONS && clipboard.size <= TEXT_MAX + 16);
	(void)vdagent_read_announce(message, &request, &caps);
}

static size_t count(const uint8_t *data, size_t size, size_t step)
{
	struct vdagent_parser parser;
	size_t at = 0, n = 0;
	int r = 0;

	vdagent_parser_init(&parser, TEXT_MAX);
	while (at < size && r >= 0) {
		struct vdagent_message message;
		size_t used = 0;

		r = vdagent_feed(&parser, data + at, size - at < step ? size - at : step, &used, &message);
		at += used;
		if (r > 0) {
			check(&message);
			n++;
		}
	}
	vdagent_parser_reset(&parser);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	assert(count(data, size, 1) == count(data, size, 4096));
	return 0;
}
