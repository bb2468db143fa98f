/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The conversation with hotdesk-host: what is, read by List and Changed, is handed to lifecycle.h; what shall be is
 * sent whole by SetDesired, soon after sync_push and only after the first List, so that what happened while nobody
 * asked is seen first.
 */
#ifndef BROKER_SYNC_H
#define BROKER_SYNC_H

#include "broker/broker.h"

int sync_new(struct broker *broker, struct host_sync **ret);
void sync_free(struct host_sync *sync);

/* The desired set changed: it is sent once, at the end of this turn of the loop. */
void sync_push(struct broker *broker);

bool sync_connected(const struct host_sync *sync);

#endif
