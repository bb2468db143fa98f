/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The root part's conversation with the host on the port org.hotdesk.agent.0 (README.md). */
#ifndef GUEST_AGENT_LINK_H
#define GUEST_AGENT_LINK_H

#include "guest-agent/codec.h"
#include "guest-agent/loop.h"
#include "guest-agent/words.h"

#include <stdbool.h>

#define LINK_PORT_NAME "org.hotdesk.agent.0"

struct host_link;

struct link_ops {
	/* Fills what a hello says; the nonce is the link's. What it points to stays valid until the next call. */
	void (*hello)(struct hello *ret, void *userdata);
	/* A request with an id, to be answered by link_result once. */
	void (*request)(const struct message *request, void *userdata);
};

/* port_path: the device instead of looking for the port by its name (may be NULL; kept, not copied). 0 or -errno. */
int link_new(struct loop *loop, const char *port_path, const struct link_ops *ops, void *userdata,
	     struct host_link **ret);
/* Takes NULL. */
void link_free(struct host_link *link);

/* Nobody is told while there is no host: the next hello says what is. */
void link_ready(struct host_link *link);
void link_session(struct host_link *link, const struct session_info *session);
void link_leaving(struct host_link *link, const char *how);
/* error NULL: it went well. */
void link_result(struct host_link *link, uint32_t id, const char *error);

#endif
