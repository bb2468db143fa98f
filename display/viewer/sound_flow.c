/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/sound_flow.h"

void sound_flow_sent(struct sound_flow *flow, size_t size)
{
	flow->sent += size;
}

void sound_flow_updated(struct sound_flow *flow, uint64_t now)
{
	if (flow->awaited)
		return;
	flow->awaited = true;
	flow->marked = flow->sent;
	flow->marked_at = now;
}

void sound_flow_requested(struct sound_flow *flow)
{
	if (!flow->awaited)
		return;
	flow->awaited = false;
	flow->known = flow->marked;
}

bool sound_flow_open(struct sound_flow *flow, size_t max, uint64_t now)
{
	if (flow->awaited && now - flow->marked_at > SOUND_FLOW_PATIENCE) {
		flow->awaited = false;
		flow->known = flow->sent;
	}
	/* Nobody waits for pixels where none are on their way. */
	return !flow->awaited || flow->sent - flow->known < max;
}

bool sound_flow_asks(const struct sound_flow *flow, size_t max)
{
	return !flow->awaited && flow->sent > flow->known && flow->sent - flow->known >= max / 4;
}
