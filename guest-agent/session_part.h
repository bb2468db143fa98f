/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `hotdesk-agent --session`: runs in the user's X session, follows the host's size and tells the root part once there
 * is a desktop: its window manager is there, or none has said so for 15 seconds. */
#ifndef GUEST_AGENT_SESSION_PART_H
#define GUEST_AGENT_SESSION_PART_H

#include "guest-agent/loop.h"

struct session_part;

/* Connects to the X server of $DISPLAY; loop_stop is called when that ends. socket_path is kept, not copied. 0 or
 * -errno. */
int session_part_new(struct loop *loop, const char *socket_path, struct session_part **ret);
/* Takes NULL. */
void session_part_free(struct session_part *part);
void session_part_freep(struct session_part **part);

#endif
