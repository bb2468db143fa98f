/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The vdagent protocol (spice-protocol, spice/vd_agent.h) of a host and a guest's agent on the virtio-serial port
 * com.redhat.spice.0: chunks, and in them messages, little-endian. Pure: bytes in, messages out, and the other way.
 * Memory grows by what was received alone; messages that are longer or shorter than their type allows are skipped.
 */
#ifndef COMMON_VDAGENT_H
#define COMMON_VDAGENT_H

#include <spice/vd_agent.h>
#include <stdbool.h>
#include <stddef.h>

#define VDAGENT_PORT "com.redhat.spice.0"
#define VDAGENT_CAP(name) (UINT32_C(1) << VD_AGENT_CAP_##name)
#define VDAGENT_SELECTIONS 2 /* VD_AGENT_CLIPBOARD_SELECTION_CLIPBOARD and _PRIMARY; others are refused */

struct vdagent_message {
	uint32_t type;       /* VD_AGENT_... */
	const uint8_t *data; /* valid until the next vdagent_feed */
	size_t size;
	bool skipped; /* of a size that the type does not have or over text_max: there is no data */
};

struct vdagent_part {
	VDAgentMessage header;
	size_t have; /* of header and body */
	bool skip;   /* its size is not allowed */
	bool whole;  /* it was handed out and is borrowed until the next feed */
	uint8_t *body;
	size_t room;
};

struct vdagent_parser {
	size_t text_max;
	VDIChunkHeader chunk;
	size_t have; /* of the chunk's header */
	struct vdagent_part parts[VDP_END_PORT - VDP_CLIENT_PORT];
};

/* text_max: bytes of a clipboard's text. */
void vdagent_parser_init(struct vdagent_parser *parser, size_t text_max);
/* Back to the start of a connection; frees all. */
void vdagent_parser_reset(struct vdagent_parser *parser);

/*
 * Takes *used of the bytes. 1: *ret is a message; 0: all bytes are used up. -EPROTO: this is not the protocol, the
 * connection is of no more use; -ENOMEM likewise.
 */
int vdagent_feed(struct vdagent_parser *parser, const uint8_t *data, size_t size, size_t *used,
		 struct vdagent_message *ret);

/* Whether what was fed ends within a message. */
bool vdagent_unfinished(const struct vdagent_parser *parser);

/* What GRAB, REQUEST, RELEASE and CLIPBOARD say; which fields are there depends on what both ends can. */
struct vdagent_clipboard {
	uint32_t selection;
	uint32_t serial; /* GRAB, with GRAB_SERIAL */
	uint32_t type;   /* REQUEST, CLIPBOARD: VD_AGENT_CLIPBOARD_...; GRAB: UTF8_TEXT if that is offered, else NONE */
	const uint8_t *data; /* CLIPBOARD; borrowed */
	size_t size;
};

/* caps: of both ends. -EBADMSG: too short, or an unknown selection. */
int vdagent_read_clipboard(const struct vdagent_message *message, uint32_t caps, struct vdagent_clipboard *ret);
/* caps: the first 32. request: the other end wants to be told ours. */
int vdagent_read_announce(const struct vdagent_message *message, bool *request, uint32_t *caps);

/* Bytes to be sent, from data + at on; freed by its user. */
struct vdagent_buffer {
	uint8_t *data;
	size_t at, size, room;
};

/* All append a message in chunks of at most VD_AGENT_MAX_DATA_SIZE for the client's port. 0 or -ENOMEM. */
int vdagent_write_clipboard(struct vdagent_buffer *to, uint32_t message, uint32_t caps,
			    const struct vdagent_clipboard *what);
int vdagent_write_announce(struct vdagent_buffer *to, bool request, uint32_t caps);
/* One monitor of this size, in pixels. */
int vdagent_write_monitor(struct vdagent_buffer *to, uint32_t width, uint32_t height);
/* In pixels of the one monitor; buttons: VD_AGENT_..BUTTON_MASK. */
int vdagent_write_mouse(struct vdagent_buffer *to, uint32_t x, uint32_t y, uint32_t buttons);

#endif
