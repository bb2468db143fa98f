/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How much sound may be on its way to a viewer, so that pixels do not queue behind it on a slow line and it is not
 * heard late: a viewer echoes fences, or answers each update by a request, and then has all the sound before them.
 * Pure: the caller brings the clock (microseconds).
 */
#ifndef VIEWER_SOUND_FLOW_H
#define VIEWER_SOUND_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOUND_FLOW_PATIENCE UINT64_C(5000000) /* a viewer that does not answer for so long listens alone */

/* Starts as zeros. */
struct sound_flow {
	uint64_t sent, known; /* bytes; known: the viewer has them */
	uint64_t marked;      /* of sent, before that whose answer is awaited */
	uint64_t marked_at;
	bool awaited;
};

void sound_flow_sent(struct sound_flow *flow, size_t size);
/* Something went out that the viewer answers; false: an answer is awaited already. */
bool sound_flow_marked(struct sound_flow *flow, uint64_t now);
void sound_flow_answered(struct sound_flow *flow);

/* Whether more may be sent, where max bytes may be on their way. */
bool sound_flow_open(struct sound_flow *flow, size_t max, uint64_t now);
/* Whether something is worth being sent for its answer alone. */
bool sound_flow_asks(const struct sound_flow *flow, size_t max);

#endif
