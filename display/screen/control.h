/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Serves org.hotdesk.Screen1 (screen_api.h) on the broker's listening socket, and ends the program when nobody watches.
 */
#ifndef SCREEN_CONTROL_H
#define SCREEN_CONTROL_H

#include <stdint.h>
#include <systemd/sd-event.h>

struct control;

/* listen_fd: taken over. linger_usec: without a display for so long the loop ends with 0. */
int control_new(sd_event *event, int listen_fd, uint64_t linger_usec, struct control **ret);
void control_free(struct control *control);

#endif
