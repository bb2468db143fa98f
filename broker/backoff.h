/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pauses between tries: the first one comes at once, the next ones later and later until all was well for a while. */
#ifndef BROKER_BACKOFF_H
#define BROKER_BACKOFF_H

#include "broker/broker.h"

struct backoff {
	struct broker *broker;
	void (*over)(void *userdata); /* it is time to try again */
	void *userdata;
	sd_event_source *timer;
	uint64_t next, paused; /* CLOCK_MONOTONIC, us: how long the next pause is, when the last one began */
	bool pausing;          /* nothing is to be tried before `over` */
};

/* After a try that failed, or an end of what had succeeded. */
void backoff_pause(struct backoff *backoff);
/* No pause runs, and the next one is the first. Also the end of a backoff. */
void backoff_reset(struct backoff *backoff);

#endif
