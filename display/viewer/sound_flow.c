/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/sound_flow.h"

void sound_flow_sent(struct sound_flow *flow, size_t size)
{
	flow->sent += size;
}

bool sound_flow_marked(struct sound_flow *flow, uint64_t now)
{
	if (flow->awaited)
		return false;
	flow->awaited = true;
	flow->marked = flow->sent;
	flow->marked_at = now;
	return true;
}

void sound_flow_answered(struct sound_flow *flow)
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
	/* Where nothing is to be answered, no pixels are on their way to be waited for. */
	return !flow->awaited || flow->sent - flow->known < max;
}

bool sound_flow_asks(const struct sound_flow *flow, size_t max)
{
	return !flow->awaited && flow->sent > flow->known && flow->sent - flow->known >= max / 4;
}
