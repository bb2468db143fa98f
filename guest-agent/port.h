/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The guest's end of a virtio-serial port: found by name, opened, and watched for the host coming and going. Bytes in
 * both directions, never blocking; a port that vanishes is looked for again each second.
 */
#ifndef GUEST_AGENT_PORT_H
#define GUEST_AGENT_PORT_H

#include "guest-agent/loop.h"

#include <stddef.h>

struct port;

struct port_ops {
	/* The host side was opened (also when it already was at start). */
	void (*connected)(void *userdata);
	/* The host side was closed or the port is gone; what was queued is dropped. */
	void (*disconnected)(void *userdata);
	/* Negative: this is not what the port is for; it is closed, and opened again a second later. */
	int (*data)(const char *data, size_t size, void *userdata);
	/* All that was queued has been written; may be NULL. */
	void (*drained)(void *userdata);
	size_t output_max; /* bytes queued for the host at most */
};

/* The device of the port `name`: udev's /dev/virtio-ports/NAME, else by sysfs. 0 or -ENOENT, -ENAMETOOLONG. */
int port_find(const char *name, char *ret, size_t size);

/* path: the device instead of looking for `name` (may be NULL). Both are kept, not copied. */
int port_new(struct loop *loop, const char *name, const char *path, const struct port_ops *ops, void *userdata,
	     struct port **ret);
/* Takes NULL. Calls no op. */
void port_free(struct port *port);

/* Queues bytes. -ENOTCONN: no host is there. -ENOBUFS: the host does not read; -ENOMEM; nothing of it was queued then.
 * `drained` may be called within. */
int port_send(struct port *port, const char *data, size_t size);
/* Bytes that wait. */
size_t port_queued(const struct port *port);

#endif
