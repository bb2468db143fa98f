/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Refused logins. Whoever reaches the gate can cause any number of them, so they are collected; the log has each of
 * them at once. */
#ifndef BROKER_REFUSALS_H
#define BROKER_REFUSALS_H

#include "broker/collector.h"

int refusals_new(struct broker *broker, struct collector **ret);

/* user and pool may be ""; peer is "ADDRESS PORT". */
void refusals_add(struct collector *refusals, const char *user, const char *peer, const char *pool, const char *reason);

#endif
