/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes from a guest's agent, as hotdesk-host reads them. */
#include "host/agent_codec.h"
#include "host/line_buffer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int one_line(const char *line, size_t size, void *userdata)
{
	struct agent_message message;

	(void)userdata;
	if (agent_parse(line, size, &message) == 0 && message.n_capabilities > AGENT_CAPABILITIES_MAX)
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line_buffer lines = {.max = AGENT_LINE_MAX};

	line_buffer_feed(&lines, (const char *)data, size, one_line, NULL);
	line_buffer_clear(&lines);
	return 0;
}
