/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The connection to the agent in one guest, through the socket behind its virtio-serial port. It connects by itself and
 * again; each connection gets a hello with a nonce of its own. A guest that floods is read slowly, one that sends
 * something else than the protocol is listened to again a second later.
 */
#ifndef HOST_AGENT_LINK_H
#define HOST_AGENT_LINK_H

#include "host/agent_codec.h"

#include <systemd/sd-event.h>

struct agent_link;

struct agent_link_ops {
	/* A hello, a ready. The callee may not free the link. */
	void (*hello)(const struct agent_message *hello, void *userdata);
	void (*ready)(void *userdata);
	/* Nothing was heard for a minute, though there was something before. */
	void (*silent)(void *userdata);
};

int agent_link_new(sd_event *event, const char *path, const struct agent_link_ops *ops, void *userdata,
		   struct agent_link **ret);
void agent_link_free(struct agent_link *link);

#endif
