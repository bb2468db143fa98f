/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One hotdesk-display for each viewer connection: started at a login, found again after a restart, told what its
 * desktop does. */
#ifndef BROKER_VIEWER_H
#define BROKER_VIEWER_H

#include "broker/desktop.h"

struct viewer;
struct viewers;

/* r 0: hotdesk-display speaks RFB on the other end of stream_fd, which is the callee's. r < 0: err is for the person.
 */
typedef void (*viewer_ready_fn)(int r, int stream_fd, const struct error *err, void *userdata);

/* Adopts the displays of the store's viewer rows; what is gone is cleaned up. */
int viewers_new(struct broker *broker, struct viewers **ret);
void viewers_free(struct viewers *viewers);
size_t viewers_count(const struct viewers *viewers);

/* For a row that is in the store already; it is deleted when the display ends, also when this fails. */
int viewer_start(struct desktop *desktop, const struct viewer_row *row, const char *keyboard, viewer_ready_fn ready,
		 void *userdata, struct viewer **ret);
/* The login went away: ready is not called, the display is ended. */
void viewer_cancel(struct viewer *viewer);

/* For the viewers of one desktop: draw what it does; give the picture of its watch; take it away; say a last word. */
void viewers_status(struct desktop *desktop);
void viewers_attach(struct desktop *desktop);
void viewers_detach(struct desktop *desktop);
void viewers_close(struct desktop *desktop, const char *title, const char *detail);

/* Their desktop's sound has another socket; its pool may allow something else now; whether one of them plays it. */
void viewers_sound(struct desktop *desktop);
void viewers_policy(struct desktop *desktop);
bool viewers_listen(const struct desktop *desktop);

#endif
