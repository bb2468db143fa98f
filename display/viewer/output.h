/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Moves bytes from the RFB thread to the viewer's stream: one bounded buffer, filled only when it is empty, never
 * waited for. */
#ifndef VIEWER_OUTPUT_H
#define VIEWER_OUTPUT_H

#include "display/viewer/server.h"

#include <systemd/sd-event.h>

struct output;

/* ended: the viewer's or the RFB thread's side is gone. stream_fd stays the caller's. */
int output_new(sd_event *event, int stream_fd, struct server *server, void (*ended)(void *userdata), void *userdata,
	       struct output **ret);
void output_free(struct output *output);

#endif
