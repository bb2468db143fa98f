/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/builder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Up to nine digits at text, *ret_end behind them; -EBADMSG without any. */
static int take_number(const char *text, uint32_t *ret, const char **ret_end)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 9)
		return -EBADMSG;
	*ret = (uint32_t)strtoul(text, NULL, 10);
	*ret_end = text + digits;
	return 0;
}

static int parse_at(const char *rest, struct builder_line *line)
{
	const char *end;

	if (take_number(rest, &line->number, &end) < 0 || *end != ' ')
		return -EBADMSG;
	line->kind = BUILDER_AT;
	snprintf(line->text, sizeof(line->text), "%s", end + 1);
	return 0;
}

static int parse_step(const char *rest, struct builder_line *line)
{
	const char *blank = strchr(rest, ' '), *end;

	if (!blank || take_number(blank + 1, &line->number, &end) < 0 || *end != '\0')
		return -EBADMSG;
	line->kind = BUILDER_STEP;
	snprintf(line->text, sizeof(line->text), "%.*s", (int)(blank - rest), rest);
	return 0;
}

int builder_line_parse(const char *line, struct builder_line *ret)
{
	struct builder_line parsed = {.kind = BUILDER_ERROR};
	int r = -EBADMSG;

	if (strncmp(line, "at ", 3) == 0)
		r = parse_at(line + 3, &parsed);
	else if (strncmp(line, "step ", 5) == 0)
		r = parse_step(line + 5, &parsed);
	else if (strncmp(line, "error ", 6) == 0)
		r = snprintf(parsed.text, sizeof(parsed.text), "%s", line + 6) > 0 ? 0 : -EBADMSG;
	if (r == 0)
		*ret = parsed;
	return r;
}
