/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QEMU's org.qemu.Display1.Clipboard (ui/dbus-display1.xml) between hotdesk-screen, which serves displays as QEMU does,
 * and hotdesk-display: both serve it and call it on one connection. Only texts, and only the selection CLIPBOARD. A
 * peer that answers slowly is told the newest state once it has answered what it was told before.
 */
#ifndef DISPLAY1_CLIPBOARD_H
#define DISPLAY1_CLIPBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

struct display1_clipboard;

/* Negative returns refuse with that errno. */
struct display1_clipboard_ops {
	/* Screen: the display wants to know of the clipboard. */
	void (*registered)(struct display1_clipboard *peer, void *userdata);
	/* The other side has a text now. -EACCES: the policy forbids it. */
	int (*grabbed)(struct display1_clipboard *peer, void *userdata);
	void (*released)(struct display1_clipboard *peer, void *userdata);
	/* It wants our text: display1_clipboard_answer is to follow. */
	int (*requested)(struct display1_clipboard *peer, void *userdata);
	/* The answer to display1_clipboard_request, data NULL: none. Borrowed. */
	void (*text)(struct display1_clipboard *peer, const char *data, size_t size, void *userdata);
	/* Display: a sentence for the person. */
	void (*notice)(const char *sentence, void *userdata);
};

/* bus: kept by the caller until the free; screen's is not started yet. */
int display1_clipboard_new(sd_bus *bus, bool screen, const struct display1_clipboard_ops *ops, void *userdata,
			   struct display1_clipboard **ret);
/* Takes NULL. */
void display1_clipboard_free(struct display1_clipboard *peer);

/* Whether our side has a text for it; each call with true is for a new one. */
void display1_clipboard_offer(struct display1_clipboard *peer, bool offered);
/* Asks for its text; one at a time. */
int display1_clipboard_request(struct display1_clipboard *peer);
/* To the Request that waits, if one does. */
void display1_clipboard_answer(struct display1_clipboard *peer, const char *data, size_t size);
/* Screen: a sentence for the person, once for each different constant. */
void display1_clipboard_notice(struct display1_clipboard *peer, const char *sentence);

bool display1_clipboard_holds(const struct display1_clipboard *peer);

#endif
