/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes from a guest's agent, as hotdesk-host reads them. */
#include "host/agent_codec.h"
#include "host/line_buffer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Within its room, and nothing in it that moves a cursor. */
static void check_text(const char *text, size_t size)
{
	if (strnlen(text, size) == size)
		abort();
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			abort();
}

static void check(const struct agent_message *message)
{
	if (message->n_capabilities > AGENT_CAPABILITIES_MAX || message->type > AGENT_LEAVING ||
	    message->session.state > AGENT_SESSION_ENDED || message->id > INT32_MAX)
		abort();
	check_text(message->os, sizeof(message->os));
	check_text(message->error, sizeof(message->error));
	check_text(message->session.user, sizeof(message->session.user));
	check_text(message->session.reason, sizeof(message->session.reason));
	if (!agent_session_text(message->session.state))
		abort();
}

static int one_line(const char *line, size_t size, void *userdata)
{
	struct agent_message message;

	(void)userdata;
	if (agent_parse(line, size, &message) == 0)
		check(&message);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line_buffer lines = {.max = AGENT_LINE_MAX};

	line_buffer_feed(&lines, (const char *)data, size, one_line, NULL);
	line_buffer_clear(&lines);
	return 0;
}
