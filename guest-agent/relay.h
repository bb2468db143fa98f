/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The root part's clipboard: whole vdagent messages between the host, on the port com.redhat.spice.0, and the session
 * part of the user who is signed in. The user is a stranger: only what the protocol has, in its sizes and in its turn,
 * reaches the host, and is not read while the host does not read.
 */
#ifndef GUEST_AGENT_RELAY_H
#define GUEST_AGENT_RELAY_H

#include "guest-agent/loop.h"

#include <sys/types.h>

struct relay;

/* port_path: the device instead of looking for the port by its name (may be NULL; kept, not copied). 0 or -errno. */
int relay_new(struct loop *loop, const char *port_path, struct relay **ret);
/* Takes NULL. */
void relay_free(struct relay *relay);

/* Whose session part may connect; NULL: nobody's. Another one's connection ends. */
void relay_set_user(struct relay *relay, const uid_t *uid);
/* A session part of this user's has connected; one at a time. Takes the fd over. */
void relay_connect(struct relay *relay, int fd, uid_t uid);

#endif
