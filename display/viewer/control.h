/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Serves org.hotdesk.Viewer1 (viewer_api.h) on the listening socket the broker made. */
#ifndef VIEWER_CONTROL_H
#define VIEWER_CONTROL_H

#include "display/viewer/viewer.h"

struct control;

/* listen_fd is taken over. Signals may be emitted before `viewer` is known; calls come only from the event loop, after
 * control_attach. */
int control_new(sd_event *event, int listen_fd, struct control **ret);
void control_attach(struct control *control, struct viewer *viewer);
void control_free(struct control *control);

/* The viewer's ops; userdata is the control. */
extern const struct viewer_ops control_viewer_ops;

#endif
