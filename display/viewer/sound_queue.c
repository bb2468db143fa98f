/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/sound_queue.h"

#include "display/viewer/sound_wire.h"

#include <stdlib.h>
#include <string.h>

void sound_queue_init(struct sound_queue *queue)
{
	memset(queue, 0, sizeof(*queue));
	pthread_mutex_init(&queue->lock, NULL);
	queue->last = &queue->first;
}

static struct sound_item *take_first(struct sound_queue *queue)
{
	struct sound_item *item = queue->first;

	if (!item)
		return NULL;
	queue->first = item->next;
	queue->pcm -= item->pcm;
	if (!queue->first)
		queue->last = &queue->first;
	return item;
}

static void drop_down_to(struct sound_queue *queue, size_t max)
{
	while (queue->first && queue->pcm > max)
		free(take_first(queue));
}

static void drop_all(struct sound_queue *queue)
{
	while (queue->first)
		free(take_first(queue));
}

void sound_queue_done(struct sound_queue *queue)
{
	drop_all(queue);
	pthread_mutex_destroy(&queue->lock);
}

/* With room for "begin" in front of it: who takes it knows whether it is needed. */
static struct sound_item *item_new(const uint8_t *pcm, size_t size)
{
	struct sound_item *item = malloc(sizeof(*item) + (size_t)2 * SOUND_HEADER_MAX + size);
	size_t begin, data;

	if (!item)
		return NULL;
	begin = sound_header(item->bytes, SOUND_BEGIN, 0);
	data = sound_header(item->bytes + begin, SOUND_DATA, size);
	memcpy(item->bytes + begin + data, pcm, size);
	item->next = NULL;
	item->pcm = size;
	item->message = item->bytes + begin;
	item->size = data + size;
	return item;
}

static void item_add_begin(struct sound_item *item)
{
	item->size += (size_t)(item->message - item->bytes);
	item->message = item->bytes;
}

void sound_queue_push(struct sound_queue *queue, const uint8_t *pcm, size_t size, size_t max)
{
	struct sound_item *item = item_new(pcm, size);

	if (!item)
		return;
	pthread_mutex_lock(&queue->lock);
	*queue->last = item;
	queue->last = &item->next;
	queue->pcm += size;
	queue->ends = false;
	drop_down_to(queue, max);
	pthread_mutex_unlock(&queue->lock);
}

void sound_queue_end(struct sound_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->ends = true;
	pthread_mutex_unlock(&queue->lock);
}

void sound_queue_cut(struct sound_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	drop_all(queue);
	queue->ends_now = true;
	pthread_mutex_unlock(&queue->lock);
}

bool sound_queue_ended(struct sound_queue *queue)
{
	bool ended;

	pthread_mutex_lock(&queue->lock);
	ended = queue->begun && (queue->ends_now || (queue->ends && !queue->first));
	if (ended)
		queue->begun = false;
	queue->ends_now = false;
	pthread_mutex_unlock(&queue->lock);
	return ended;
}

struct sound_item *sound_queue_take(struct sound_queue *queue)
{
	struct sound_item *item;

	pthread_mutex_lock(&queue->lock);
	/* "end" comes first where it is due. */
	item = queue->ends_now && queue->begun ? NULL : take_first(queue);
	if (item && !queue->begun)
		item_add_begin(item);
	queue->begun = queue->begun || item;
	pthread_mutex_unlock(&queue->lock);
	return item;
}

bool sound_queue_waits(struct sound_queue *queue)
{
	bool waits;

	pthread_mutex_lock(&queue->lock);
	waits = queue->first != NULL;
	pthread_mutex_unlock(&queue->lock);
	return waits;
}
