/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The session part's clipboard: the selections of its X server on one side, on the other vdagent messages with the host
 * by way of the root part, which is looked for each second until it is there. Texts move when they are pasted.
 */
#ifndef GUEST_AGENT_CLIPBOARD_H
#define GUEST_AGENT_CLIPBOARD_H

#include "guest-agent/loop.h"

struct clipboard;

/* The X server is that of $DISPLAY; loop_stop is called when it ends. socket_path: the root part's; kept, not copied.
 * 0, -ENOTSUP without XFIXES, or -errno. */
int clipboard_new(struct loop *loop, const char *socket_path, struct clipboard **ret);
/* Takes NULL. */
void clipboard_free(struct clipboard *clipboard);

#endif
