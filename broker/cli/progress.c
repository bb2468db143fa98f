/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#define BAR_WIDTH 40

void progress_show(uint32_t percent, const char *text)
{
	char bar[BAR_WIDTH + 1];

	if (!isatty(STDERR_FILENO))
		return;
	if (percent > 100)
		percent = 100;
	for (uint32_t i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < percent * BAR_WIDTH / 100 ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "\r[%s] %3u %% %.32s\033[K", bar, percent, text);
	fflush(stderr);
}

void progress_line(const char *text)
{
	progress_end();
	fprintf(stderr, "%s\n", text);
}

void progress_end(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}
