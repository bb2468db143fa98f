/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048

static const char *log_program = "hotdesk";
static bool log_to_journal, log_verbose;

/* systemd sets JOURNAL_STREAM to "DEVICE:INODE" of the stderr it connected; somebody may have redirected it since. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char have[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(have, sizeof(have), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(have, stream) == 0;
}

void log_open(const char *program)
{
	const char *debug = getenv("HOTDESK_DEBUG");

	log_program = program;
	log_to_journal = stderr_is_journal();
	log_verbose = debug && strcmp(debug, "1") == 0;
}

static void log_clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

void log_write(int priority, const char *format, ...)
{
	char text[LOG_LINE_MAX], line[LOG_LINE_MAX + 128];
	ssize_t ignored;
	va_list args;
	int size;

	if (priority == LOG_DEBUG && !log_verbose)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_clean(text);
	if (log_to_journal)
		size = snprintf(line, sizeof(line), "<%d>%s\n", priority, text);
	else
		size = snprintf(line, sizeof(line), "%s[%d]: %s\n", log_program, (int)getpid(), text);
	/* One write a line, so that lines of several processes do not mix. */
	ignored = write(STDERR_FILENO, line, (size_t)size);
	(void)ignored;
}
