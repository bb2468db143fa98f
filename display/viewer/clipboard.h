/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The viewer's side of the clipboard, on the main thread: RFB's messages on the one hand, hotdesk-screen on the other.
 * With the Extended Clipboard a text moves when it is pasted; other viewers are sent it at once, in Latin-1.
 */
#ifndef VIEWER_CLIPBOARD_H
#define VIEWER_CLIPBOARD_H

#include "display/display1_clipboard.h"
#include "display/viewer/server.h"

#include <systemd/sd-bus.h>

struct clipboard;

/* notice: a sentence for the person; text_max: bytes of a text, both ways. server outlives it. */
int clipboard_new(struct server *server, size_t text_max, void (*notice)(const char *sentence, void *userdata),
		  void *userdata, struct clipboard **ret);
void clipboard_free(struct clipboard *clipboard);

/* A new SetEncodings. */
void clipboard_features(struct clipboard *clipboard, uint32_t features);
/* A FILTER_CUT_TEXT. */
void clipboard_heard(struct clipboard *clipboard, const struct filter_message *message);

/* The connection to a screen, kept by the caller until NULL or another one is set. What the viewer holds is offered to
 * it.
 */
int clipboard_set_bus(struct clipboard *clipboard, sd_bus *bus);

#endif
