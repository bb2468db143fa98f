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

#define AGENT_REQUESTS_MAX 8 /* under way at a time */

struct agent_link;
struct json_object;

struct agent_link_ops {
	/* A hello, ready, session or leaving; the last three only after a hello. The callee may not free the link. */
	void (*said)(const struct agent_message *message, void *userdata);
	/* Nothing was heard for a minute, though there was something before. */
	void (*silent)(void *userdata);
};

/* r < 0: -ECONNRESET (the connection ended), -ETIMEDOUT, or -EREMOTEIO with the agent's own sentence. */
typedef void (*agent_done_fn)(int r, const struct error *err, void *userdata);

int agent_link_new(sd_event *event, const char *path, const struct agent_link_ops *ops, void *userdata,
		   struct agent_link **ret);
/* What is under way ends with -ECONNRESET. */
void agent_link_free(struct agent_link *link);

/*
 * Asks the agent (agent_request.h). 0: done (may be NULL) is called once, later. Else a negative errno with err's text:
 * -EINVAL (no such request, or its fields are wrong), -ENOTCONN (no agent has answered), -EBUSY (too many under way).
 */
int agent_link_request(struct agent_link *link, const char *name, struct json_object *fields, agent_done_fn done,
		       void *userdata, struct error *err);

#endif
