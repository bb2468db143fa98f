/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The viewer's messages on their way from the main thread to the RFB thread, in order. */
#ifndef VIEWER_INBOX_H
#define VIEWER_INBOX_H

#include "display/viewer/filter.h"

#include <pthread.h>

#define INBOX_MAX 1024 /* messages; the main thread stops reading the viewer when half of them wait */

struct inbox_item {
	struct inbox_item *next;
	struct filter_message message;
	uint8_t bytes[];
};

struct inbox {
	pthread_mutex_t lock;
	struct inbox_item *first, **last;
	unsigned count;
};

void inbox_init(struct inbox *inbox);
void inbox_done(struct inbox *inbox);
int inbox_push(struct inbox *inbox, const struct filter_message *message); /* copies. -ENOMEM, -ENOBUFS */
struct inbox_item *inbox_pop(struct inbox *inbox);                         /* the caller's (free), or NULL */
bool inbox_crowded(struct inbox *inbox);

#endif
