/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/backoff.h"

#define FIRST_USEC UINT64_C(50000)
#define MAX_USEC UINT64_C(3200000)
#define STEADY_USEC UINT64_C(10000000)

static int pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct backoff *backoff = userdata;

	(void)source;
	(void)usec;
	backoff->pausing = false;
	backoff->over(backoff->userdata);
	return 0;
}

void backoff_pause(struct backoff *backoff)
{
	uint64_t now = 0;

	sd_event_now(backoff->broker->event, CLOCK_MONOTONIC, &now);
	if (now - backoff->paused > STEADY_USEC)
		backoff->next = 0;
	backoff->paused = now;
	backoff->pausing = true;
	broker_timer(backoff->broker, &backoff->timer, backoff->next, pause_over, backoff);
	backoff->next = backoff->next == 0 ? FIRST_USEC : backoff->next > MAX_USEC / 2 ? MAX_USEC : backoff->next * 2;
}

void backoff_reset(struct backoff *backoff)
{
	backoff->next = 0;
	backoff->pausing = false;
	backoff->timer = sd_event_source_disable_unref(backoff->timer);
}
