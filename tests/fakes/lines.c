/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/fakes/lines.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TABLES 3

static struct {
	struct {
		const struct line_command *commands;
		void *userdata;
	} tables[TABLES];
	size_t n_tables;
	char text[4096];
	size_t have;
} input;

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

bool line_scan(const char *args, const char *kinds, ...)
{
	bool good = true;
	va_list values;
	char *end;

	va_start(values, kinds);
	for (; *kinds && good; kinds++, args = end) {
		long long value = strtoll(args, &end, *kinds == 'x' ? 16 : 10);

		good = end != args;
		if (good && *kinds == 'd')
			*va_arg(values, int *) = (int)value;
		else if (good)
			*va_arg(values, unsigned *) = (unsigned)value;
	}
	va_end(values);
	return good;
}

/* By the first table that has the command. */
static int run_command(const char *name, const char *args)
{
	for (size_t i = 0; i < input.n_tables; i++)
		for (const struct line_command *command = input.tables[i].commands; command->name; command++)
			if (strcmp(command->name, name) == 0)
				return command->run(input.tables[i].userdata, args);
	return -ENOSYS;
}

static void run_line(char *line)
{
	char *args = strchr(line, ' ');
	int r;

	if (args)
		*args++ = '\0';
	r = run_command(line, args ? args : "");
	if (r < 0)
		say("%s error %s", line, strerror(-r));
	else
		say("%s ok", line);
}

static int on_stdin(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	ssize_t n = read(fd, input.text + input.have, sizeof(input.text) - 1 - input.have);
	char *end;

	(void)events;
	(void)userdata;
	if (n <= 0)
		return sd_event_exit(sd_event_source_get_event(source), 0);
	input.have += (size_t)n;
	input.text[input.have] = '\0';
	while ((end = strchr(input.text, '\n'))) {
		*end = '\0';
		run_line(input.text);
		input.have -= (size_t)(end + 1 - input.text);
		memmove(input.text, end + 1, input.have + 1);
	}
	return 0;
}

int lines_serve(sd_event *event, const struct line_command *commands, void *userdata)
{
	if (input.n_tables == TABLES)
		return -ENOSPC;
	input.tables[input.n_tables].commands = commands;
	input.tables[input.n_tables].userdata = userdata;
	return input.n_tables++ ? 0 : sd_event_add_io(event, NULL, STDIN_FILENO, EPOLLIN, on_stdin, NULL);
}
