/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The clipboard of one desktop: what its guest holds and what its viewers hold, and which way the pool's policy lets a
 * text go. Nothing moves until it is asked for. Of several displays the one that last had input owns the viewers' side.
 */
#ifndef SCREEN_CLIPBOARD_H
#define SCREEN_CLIPBOARD_H

#include "display/display1_clipboard.h"

struct clipboard;

struct clipboard_ops {
	/* The guest's connection ended or was given up. */
	void (*vdagent_lost)(void *userdata);
	/* A text was handed over: SCREEN_CLIPBOARD_IN or _OUT. */
	void (*moved)(uint32_t direction, size_t bytes, void *userdata);
};

int clipboard_new(sd_event *event, const struct clipboard_ops *ops, void *userdata, struct clipboard **ret);
void clipboard_free(struct clipboard *clipboard);

/* The guest's com.redhat.spice.0; taken over, also on failure. Replaces the old one. */
int clipboard_set_vdagent(struct clipboard *clipboard, int fd);
/* allowed: SCREEN_CLIPBOARD_... of screen_api.h; what is now forbidden is withdrawn. */
void clipboard_set_policy(struct clipboard *clipboard, uint32_t allowed, uint32_t max_bytes);

/* For stock guests that do not follow the screen's size; false: no agent takes one. */
bool clipboard_set_size(struct clipboard *clipboard, uint32_t width, uint32_t height);
/* For guests that take no positions from QEMU, likewise (agent_port.h). */
bool clipboard_set_pointer(struct clipboard *clipboard, uint32_t x, uint32_t y, uint32_t buttons);

/* A display's side: its peer's ops with the clipboard as userdata. */
extern const struct display1_clipboard_ops clipboard_display_ops;
/* The display had input. */
void clipboard_input(struct clipboard *clipboard, struct display1_clipboard *peer);
/* The display is about to go. */
void clipboard_forget(struct clipboard *clipboard, struct display1_clipboard *peer);

#endif
