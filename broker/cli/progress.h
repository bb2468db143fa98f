/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One line with a bar on stderr where that is a terminal; elsewhere only lines of their own. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdint.h>

void progress_show(uint32_t percent, const char *text);

/* A line of its own on stderr, terminal or not; the bar comes again below it. */
void progress_line(const char *text);

/* Clears the line, so that what follows starts at its beginning. */
void progress_end(void);

#endif
