/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The clipboard of a scripted display: what it is told is printed as `display N grab`, `display N release`,
 * `display N request` (of its text), `display N notice SENTENCE`, and what it was given as `display N pasted BYTES` or
 * `display N nothing`.
 */
#ifndef WIRE_SCREEN_TOOL_CLIPBOARD_H
#define WIRE_SCREEN_TOOL_CLIPBOARD_H

#include "tests/wire/screen_tool_display.h"

struct tool_clipboard {
	const struct tool_display *display;
	uint32_t serial;
	char copied[256], pasted[256]; /* files: of its text, "" answers no request; where a given one goes */
};

int tool_clipboard_register(struct tool_clipboard *clipboard, const struct tool_display *display);
/* file "": it holds a text that it never hands over. -EACCES as the screen says. */
int tool_clipboard_copy(struct tool_clipboard *clipboard, const char *file);
int tool_clipboard_uncopy(struct tool_clipboard *clipboard);
int tool_clipboard_paste(struct tool_clipboard *clipboard, const char *file);

#endif
