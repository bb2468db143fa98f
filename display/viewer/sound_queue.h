/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Sound on its way from the main thread to the RFB thread: the newest of it, never more than a viewer may be behind.
 * Nobody waits for it: what comes too late is dropped. It also knows where the viewer's stream begins and ends.
 */
#ifndef VIEWER_SOUND_QUEUE_H
#define VIEWER_SOUND_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sound_item {
	struct sound_item *next;
	size_t pcm;             /* bytes */
	size_t size;            /* of message */
	const uint8_t *message; /* in bytes: "data", behind "begin" where the stream begins with it */
	uint8_t bytes[];
};

struct sound_queue {
	pthread_mutex_t lock;
	struct sound_item *first, **last;
	size_t pcm;
	bool begun;    /* the viewer was sent "begin" */
	bool ends;     /* behind what is queued */
	bool ends_now; /* before it */
};

void sound_queue_init(struct sound_queue *queue);
void sound_queue_done(struct sound_queue *queue);

/* Main thread. pcm is copied; the oldest go when there are more than max bytes. What no memory is for is dropped. */
void sound_queue_push(struct sound_queue *queue, const uint8_t *pcm, size_t size, size_t max);
void sound_queue_end(struct sound_queue *queue); /* "end" behind what is queued, unless more comes first */
void sound_queue_cut(struct sound_queue *queue); /* drops what is queued; "end" comes before all that follows */

/* RFB thread. True, once, where "end" is to be sent now. */
bool sound_queue_ended(struct sound_queue *queue);
/* The next message: the caller's (free), or NULL. */
struct sound_item *sound_queue_take(struct sound_queue *queue);
bool sound_queue_waits(struct sound_queue *queue);

#endif
