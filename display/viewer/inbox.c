/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/inbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void inbox_init(struct inbox *inbox)
{
	pthread_mutex_init(&inbox->lock, NULL);
	inbox->first = NULL;
	inbox->last = &inbox->first;
	inbox->count = 0;
}

void inbox_done(struct inbox *inbox)
{
	struct inbox_item *item;

	while ((item = inbox_pop(inbox)))
		free(item);
	pthread_mutex_destroy(&inbox->lock);
}

static struct inbox_item *item_new(const struct filter_message *message)
{
	struct inbox_item *item = malloc(sizeof(*item) + message->size);

	if (!item)
		return NULL;
	item->next = NULL;
	item->message = *message;
	if (message->size)
		memcpy(item->bytes, message->bytes, message->size);
	item->message.bytes = item->bytes;
	if (message->payload)
		item->message.payload = item->bytes + (message->payload - message->bytes);
	return item;
}

int inbox_push(struct inbox *inbox, const struct filter_message *message)
{
	struct inbox_item *item = item_new(message);
	int r = item ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	pthread_mutex_lock(&inbox->lock);
	if (inbox->count >= INBOX_MAX) {
		r = -ENOBUFS;
	} else {
		*inbox->last = item;
		inbox->last = &item->next;
		inbox->count++;
	}
	pthread_mutex_unlock(&inbox->lock);
	if (r < 0)
		free(item);
	return r;
}

struct inbox_item *inbox_pop(struct inbox *inbox)
{
	struct inbox_item *item;

	pthread_mutex_lock(&inbox->lock);
	item = inbox->first;
	if (item) {
		inbox->first = item->next;
		inbox->count--;
		if (!inbox->first)
			inbox->last = &inbox->first;
	}
	pthread_mutex_unlock(&inbox->lock);
	return item;
}

bool inbox_crowded(struct inbox *inbox)
{
	bool crowded;

	pthread_mutex_lock(&inbox->lock);
	crowded = inbox->count >= INBOX_MAX / 2;
	pthread_mutex_unlock(&inbox->lock);
	return crowded;
}
