/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The viewer's messages, and what the viewer is told of the clipboard, on their way from the main thread to the RFB
 * thread, in order. */
#ifndef VIEWER_INBOX_H
#define VIEWER_INBOX_H

#include "display/viewer/filter.h"

#include <pthread.h>

#define INBOX_MAX 1024 /* messages; the main thread stops reading the viewer when half of them wait */

/* What is to be made of a text before it is sent (cut_text.h). */
enum inbox_text {
	INBOX_NO_TEXT, /* the item is a message of the viewer's */
	INBOX_PLAIN,   /* bytes that are sent as they are */
	INBOX_PROVIDE,
	INBOX_LATIN1,
};

struct inbox_item {
	struct inbox_item *next;
	struct filter_message message;
	enum inbox_text kind;
	char *text; /* freed with the item */
	size_t text_size;
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
/* text: malloced, taken over, also on failure. One that is to be made something of takes the place of those before it:
 * they may be long, and a viewer that does not read may ask for them again and again. */
int inbox_push_text(struct inbox *inbox, enum inbox_text kind, char *text, size_t size);
struct inbox_item *inbox_pop(struct inbox *inbox); /* the caller's, or NULL */
void inbox_item_free(struct inbox_item *item);     /* takes NULL */
void inbox_item_freep(struct inbox_item **item);
bool inbox_crowded(struct inbox *inbox);

#endif
