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
		inbox_item_free(item);
	pthread_mutex_destroy(&inbox->lock);
}

static struct inbox_item *item_new(const struct filter_message *message)
{
	struct inbox_item *item = malloc(sizeof(*item) + message->size);

	if (!item)
		return NULL;
	memset(item, 0, sizeof(*item));
	item->message = *message;
	if (message->size)
		memcpy(item->bytes, message->bytes, message->size);
	item->message.bytes = item->bytes;
	if (message->payload)
		item->message.payload = item->bytes + (message->payload - message->bytes);
	return item;
}

/* Takes the item over, also on failure. */
static int inbox_add(struct inbox *inbox, struct inbox_item *item)
{
	int r = 0;

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
		inbox_item_free(item);
	return r;
}

int inbox_push(struct inbox *inbox, const struct filter_message *message)
{
	struct inbox_item *item = item_new(message);

	return item ? inbox_add(inbox, item) : -ENOMEM;
}

static void drop_texts(struct inbox *inbox)
{
	struct inbox_item **at = &inbox->first, *item;

	pthread_mutex_lock(&inbox->lock);
	while ((item = *at)) {
		if (item->kind != INBOX_PROVIDE && item->kind != INBOX_LATIN1) {
			at = &item->next;
			continue;
		}
		*at = item->next;
		inbox->count--;
		inbox_item_free(item);
	}
	inbox->last = at;
	pthread_mutex_unlock(&inbox->lock);
}

int inbox_push_text(struct inbox *inbox, enum inbox_text kind, char *text, size_t size)
{
	struct inbox_item *item = calloc(1, sizeof(*item));

	if (!item) {
		free(text);
		return -ENOMEM;
	}
	if (kind != INBOX_PLAIN)
		drop_texts(inbox);
	item->kind = kind;
	item->text = text;
	item->text_size = size;
	return inbox_add(inbox, item);
}

void inbox_item_free(struct inbox_item *item)
{
	if (item)
		free(item->text);
	free(item);
}

void inbox_item_freep(struct inbox_item **item)
{
	inbox_item_free(*item);
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
