/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The conversation with a guest's vdagent (common/vdagent.h: spice-vdagent of Linux or Windows, or hotdesk-agent) on
 * com.redhat.spice.0: announces itself, keeps grab serials, bounds what waits in either direction. A guest that floods,
 * stalls or breaks the protocol ends its own connection and nothing else.
 */
#ifndef SCREEN_AGENT_PORT_H
#define SCREEN_AGENT_PORT_H

#include "common/vdagent.h"

#include <systemd/sd-event.h>

struct agent_port;

/* Called from the event loop, never from inside another call of this module. */
struct agent_port_ops {
	/* An agent is there, for the first time or anew: it knows of nothing, and holds nothing. */
	void (*up)(void *userdata);
	/* text: one is offered; else it holds something that is none. */
	void (*grabbed)(uint32_t selection, bool text, void *userdata);
	void (*released)(uint32_t selection, void *userdata);
	void (*requested)(uint32_t selection, void *userdata);
	/* The answer to agent_port_request, or one that nobody asked for. data NULL: there is none, or, where size is
	 * over the limit, it is longer. Borrowed. */
	void (*text)(uint32_t selection, const char *data, size_t size, void *userdata);
	/* The connection ended or was given up: free the port. */
	void (*lost)(void *userdata);
};

/* fd: the connected chardev; taken over, also on failure. text_max: bytes of a text. */
int agent_port_new(sd_event *event, int fd, size_t text_max, const struct agent_port_ops *ops, void *userdata,
		   struct agent_port **ret);
/* Takes NULL. */
void agent_port_free(struct agent_port *port);

void agent_port_set_text_max(struct agent_port *port, size_t text_max);

/* Nothing is sent while no agent is there or where it cannot do it; all take NULL. */
void agent_port_grab(struct agent_port *port, uint32_t selection);
void agent_port_release(struct agent_port *port, uint32_t selection);
/* false: no agent will answer. */
bool agent_port_request(struct agent_port *port, uint32_t selection);
/* data NULL: there is no text. LF line ends; a guest that wants CRLF gets them. */
void agent_port_answer(struct agent_port *port, uint32_t selection, const char *data, size_t size);
/* Pixels. false: the agent cannot. */
bool agent_port_set_size(struct agent_port *port, uint32_t width, uint32_t height);
/* Likewise; buttons: bit 0 is the first of QEMU's (left, middle, right, wheel up and down, side, extra). A guest that
 * reads too slowly gets the newest position later. */
bool agent_port_set_pointer(struct agent_port *port, uint32_t x, uint32_t y, uint32_t buttons);

#endif
