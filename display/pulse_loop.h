/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libpulse's asynchronous API on sd-event: all of its callbacks come from this event loop, in its thread. */
#ifndef DISPLAY_PULSE_LOOP_H
#define DISPLAY_PULSE_LOOP_H

#include <pulse/mainloop-api.h>
#include <systemd/sd-event.h>

struct pulse_loop;

int pulse_loop_new(sd_event *event, struct pulse_loop **ret);

/* After everything that uses its API. Takes NULL. */
void pulse_loop_free(struct pulse_loop *loop);

pa_mainloop_api *pulse_loop_api(struct pulse_loop *loop);

#endif
