/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes from QEMU's control socket: cut into lines and parsed. */
#include "host/line_buffer.h"
#include "host/qmp_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int one_line(const char *line, size_t size, void *userdata)
{
	struct qmp_message message;

	(void)userdata;
	if (qmp_parse(line, size, &message) == 0)
		qmp_message_clear(&message);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line_buffer lines = {.max = 4096};
	size_t half = size / 2;

	if (line_buffer_feed(&lines, (const char *)data, half, one_line, NULL) == 0)
		line_buffer_feed(&lines, (const char *)data + half, size - half, one_line, NULL);
	line_buffer_clear(&lines);
	return 0;
}
