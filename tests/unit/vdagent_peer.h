/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other end of a conversation in vdagent messages, scripted. */
#ifndef TESTS_UNIT_VDAGENT_PEER_H
#define TESTS_UNIT_VDAGENT_PEER_H

#include "common/vdagent.h"
#include "tests/unit/x_world.h"

#define PEER_CAPS                                                                                                      \
	(VDAGENT_CAP(CLIPBOARD_BY_DEMAND) | VDAGENT_CAP(CLIPBOARD_SELECTION) | VDAGENT_CAP(CLIPBOARD_GRAB_SERIAL))

struct vdagent_peer {
	int fd; /* does not block */
	struct vdagent_parser parser;
	uint8_t bytes[65536];
	size_t at, size;
	bool ended;
	/* The last message: */
	uint32_t type;
	struct vdagent_clipboard what;
	bool request;
	uint32_t caps;
};

/* Takes the fd over. */
void vdagent_peer_new(struct vdagent_peer *peer, int fd);
void vdagent_peer_clear(struct vdagent_peer *peer);

/* Run the loop; fail where what comes next is something else. */
void vdagent_peer_hear(struct x_world *world, struct vdagent_peer *peer, uint32_t type);
void vdagent_peer_hear_end(struct x_world *world, struct vdagent_peer *peer);

void vdagent_peer_announce(struct x_world *world, struct vdagent_peer *peer, bool request, uint32_t caps);
void vdagent_peer_say(struct x_world *world, struct vdagent_peer *peer, uint32_t type,
		      const struct vdagent_clipboard *what);
/* These bytes, and it runs the loop until all are gone. */
void vdagent_peer_write(struct x_world *world, const struct vdagent_peer *peer, const void *data, size_t size);

/* The usual ones, of a text or of none (NULL). */
void vdagent_peer_grab(struct x_world *world, struct vdagent_peer *peer, uint32_t selection, uint32_t serial);
void vdagent_peer_request(struct x_world *world, struct vdagent_peer *peer, uint32_t selection);
void vdagent_peer_text(struct x_world *world, struct vdagent_peer *peer, uint32_t selection, const char *text,
		       size_t size);
/* The next is this text; NULL: that there is none. */
void vdagent_peer_hear_text(struct x_world *world, struct vdagent_peer *peer, uint32_t selection, const char *text,
			    size_t size);

#endif
