/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The guest's end of a virtio-serial port: found by name, opened, and watched for the host coming and going. Bytes in
 * both directions, never blocking; a port that vanishes is looked for again each second.
 */
#ifndef GUEST_AGENT_PORT_H
#define GUEST_AGENT_PORT_H

#include "guest-agent/loop.h"

#include <stddef.h>

#define PORT_OUTPUT_MAX (256u << 10) /* bytes queued for the host at most */

struct port;

struct port_ops {
	/* The host side was opened (also when it already was at start). */
	void (*connected)(void *userdata);
	/* The host side was closed or the port is gone; what was queued is dropped. */
	void (*disconnected)(void *userdata);
	void (*data)(const char *data, size_t size, void *userdata);
};

/* The device of the port `name`: udev's /dev/virtio-ports/NAME, else by sysfs. 0 or -ENOENT, -ENAMETOOLONG. */
int port_find(const char *name, char *ret, size_t size);

/* path: the device instead of looking for `name` (may be NULL). Both are kept, not copied. */
int port_new(struct loop *loop, const char *name, const char *path, const struct port_ops *ops, void *userdata,
	     struct port **ret);
/* Takes NULL. Calls no op. */
void port_free(struct port *port);

/* Queues bytes. -ENOTCONN: no host is there. -ENOBUFS: the host does not read; nothing of it was queued. */
int port_send(struct port *port, const char *data, size_t size);

#endif
