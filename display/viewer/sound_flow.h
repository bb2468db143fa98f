/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How much sound may be on its way to a viewer without fences, so that pixels do not queue behind it on a slow line:
 * such a viewer answers each update by a request, and then has all the sound before that update. Pure: the caller
 * brings the clock (microseconds).
 */
#ifndef VIEWER_SOUND_FLOW_H
#define VIEWER_SOUND_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOUND_FLOW_PATIENCE UINT64_C(5000000) /* a viewer that asks for no more pixels listens alone */

/* Starts as zeros. */
struct sound_flow {
	uint64_t sent, known; /* bytes; known: the viewer has them */
	uint64_t marked;      /* of sent, before the update whose request is awaited */
	uint64_t marked_at;
	bool awaited;
};

void sound_flow_sent(struct sound_flow *flow, size_t size);
void sound_flow_updated(struct sound_flow *flow, uint64_t now); /* an update went out */
void sound_flow_requested(struct sound_flow *flow);             /* a request came */

/* Whether more may be sent, where max bytes may be on their way. */
bool sound_flow_open(struct sound_flow *flow, size_t max, uint64_t now);
/* Whether an update is worth being sent for the request alone. */
bool sound_flow_asks(const struct sound_flow *flow, size_t max);

#endif
