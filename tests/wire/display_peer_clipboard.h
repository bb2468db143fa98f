/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The desktop's side of the clipboard in display-peer, by lines:
 *   offer FILE (a text of the desktop's; without FILE one that is never handed over) | withdraw
 *   paste FILE (asks for the viewer's) | notice SENTENCE
 * Prints `registered`, `copied` and `uncopied` (the viewer's), `asked` (for ours), `pasted BYTES` or `nothing`.
 */
#ifndef WIRE_DISPLAY_PEER_CLIPBOARD_H
#define WIRE_DISPLAY_PEER_CLIPBOARD_H

#include "display/display1_clipboard.h"
#include "tests/fakes/lines.h"

struct peer_clipboard {
	struct display1_clipboard *display;
	char offered[256], pasted[256]; /* files */
	char notice[1024];
};

/* Serves it on a new connection of the display's. */
int peer_clipboard_serve(struct peer_clipboard *clipboard, sd_bus *bus);

/* For lines_serve with a struct peer_clipboard. */
extern const struct line_command peer_clipboard_commands[];

#endif
