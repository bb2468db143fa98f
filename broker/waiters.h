/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands that wait until a desktop is stopped or gone, or its user logged off. */
#ifndef BROKER_WAITERS_H
#define BROKER_WAITERS_H

#include "broker/broker.h"

enum waiter_kind { WAIT_NOTHING, WAIT_STOPPED, WAIT_GONE, WAIT_LOGGED_OFF };

int waiters_new(struct broker *broker, struct waiters **ret);
void waiters_free(struct waiters *waiters);

/* done is called from the loop once it is so; WAIT_NOTHING: at the next turn. */
int waiters_add(struct broker *broker, enum waiter_kind kind, const char *id, broker_done_fn done, void *userdata);
void waiters_forget(struct broker *broker, void *userdata);

/* Something changed: looks at the end of this turn of the loop. */
void waiters_check(struct broker *broker);

#endif
