/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The root part's conversation with the host on the port org.hotdesk.agent.0: hello, ready, heartbeat (README.md). */
#ifndef GUEST_AGENT_LINK_H
#define GUEST_AGENT_LINK_H

#include "guest-agent/loop.h"

#include <stdbool.h>

#define LINK_PORT_NAME "org.hotdesk.agent.0"

struct host_link;

/* port_path: the device instead of looking for the port by its name (may be NULL; kept, not copied). 0 or -errno. */
int link_new(struct loop *loop, const char *port_path, struct host_link **ret);
/* Takes NULL. */
void link_free(struct host_link *link);
void link_freep(struct host_link **link);

/* A desktop is up (true: the host is told at once) or not any more (the next hello says so). */
void link_set_ready(struct host_link *link, bool ready);

#endif
