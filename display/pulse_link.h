/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A connection to a desktop's sound daemon that comes back by itself, however often the daemon ends. */
#ifndef DISPLAY_PULSE_LINK_H
#define DISPLAY_PULSE_LINK_H

#include <pulse/context.h>
#include <systemd/sd-event.h>

struct pulse_link;

struct pulse_link_ops {
	void (*up)(pa_context *context, void *userdata); /* ready: make your streams */
	void (*down)(void *userdata);                    /* drop your streams: the context is gone after it */
};

/* First thing in a program, before its threads: libpulse then looks for no files of a person's. */
void pulse_link_prepare(void);

/*
 * socket_fd: O_PATH, of the socket the daemon listens on, or will; taken over, also on failure. name: of this client,
 * as the daemon knows it. The first attempt is made by the event loop.
 */
int pulse_link_new(sd_event *event, int socket_fd, const char *name, const struct pulse_link_ops *ops, void *userdata,
		   struct pulse_link **ret);

/* Without a call of down: the caller's streams are dropped before. Takes NULL. Not from up or down. */
void pulse_link_free(struct pulse_link *link);

#endif
