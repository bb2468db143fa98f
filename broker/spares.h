/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Desktops without an owner, kept booted: each pool's min-spare, never above its max. */
#ifndef BROKER_SPARES_H
#define BROKER_SPARES_H

#include "broker/broker.h"

int spares_new(struct broker *broker, struct spares **ret);
void spares_free(struct spares *spares);

/* Makes what is missing and removes what is too many or not as the pool says any more (image, memory, vcpus), at the
 * end of this turn of the loop. */
void spares_soon(struct broker *broker);

/* As spares_soon; failed spares are removed as well, so that a mended pool gets new ones. */
void spares_renew(struct broker *broker);

#endif
