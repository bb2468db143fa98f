/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Test programs that are driven by lines on stdin and report by lines on stdout. */
#ifndef FAKES_LINES_H
#define FAKES_LINES_H

#include <stdbool.h>
#include <systemd/sd-event.h>

/* args: what follows the name and a space, "" for nothing. Negative errno makes the line `NAME error TEXT`. */
struct line_command {
	const char *name;
	int (*run)(void *userdata, const char *args);
};

/* Prints one line at once. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Reads numbers divided by spaces: u and x (hexadecimal) into unsigned, d into int. False where they are not all there.
 */
bool line_scan(const char *args, const char *kinds, ...);

/*
 * Runs each line by the table (ended by a NULL name) and answers `NAME ok` or `NAME error TEXT`; ends the loop at EOF.
 * A second call adds a table for what the first one does not have.
 */
int lines_serve(sd_event *event, const struct line_command *commands, void *userdata);

#endif
