/* SPDX-License-Identifier: GPL-3.0-or-later */
/* vdagent messages (common/vdagent.h) on the connection of a session part and the root part, at either end. */
#ifndef GUEST_AGENT_VDAGENT_SOCKET_H
#define GUEST_AGENT_VDAGENT_SOCKET_H

#include "common/vdagent.h"
#include "guest-agent/loop.h"

#define CLIPBOARD_TEXT_MAX ((size_t)8 << 20) /* bytes of a text */
/* What the agent can do; texts have LF line ends. */
#define CLIPBOARD_CAPS                                                                                                 \
	(VDAGENT_CAP(CLIPBOARD_BY_DEMAND) | VDAGENT_CAP(CLIPBOARD_SELECTION) | VDAGENT_CAP(GUEST_LINEEND_LF) |         \
	 VDAGENT_CAP(CLIPBOARD_NO_RELEASE_ON_REGRAB) | VDAGENT_CAP(CLIPBOARD_GRAB_SERIAL))
/* Bytes that may wait for a peer: a text of each selection, and much that is small. */
#define CLIPBOARD_QUEUE_MAX (VDAGENT_SELECTIONS * CLIPBOARD_TEXT_MAX + ((size_t)1 << 20))

struct vdagent_socket;

struct vdagent_socket_ops {
	void (*message)(const struct vdagent_message *message, void *userdata);
	/* The connection has ended, or broke the protocol: to be freed. From the loop only. */
	void (*closed)(void *userdata);
};

/* Takes the connected fd over, also on failure. */
int vdagent_socket_new(struct loop *loop, int fd, const struct vdagent_socket_ops *ops, void *userdata,
		       struct vdagent_socket **ret);
/* Takes NULL. Not from within `message`. */
void vdagent_socket_free(struct vdagent_socket *sock);

/* Both send and queue what does not go at once. A peer that lets more wait than CLIPBOARD_QUEUE_MAX is given up. */
void vdagent_socket_announce(struct vdagent_socket *sock, uint32_t caps);
void vdagent_socket_clipboard(struct vdagent_socket *sock, uint32_t message, uint32_t caps,
			      const struct vdagent_clipboard *what);
/* Reads nothing meanwhile, but for what has been read. */
void vdagent_socket_pause(struct vdagent_socket *sock, bool paused);

#endif
