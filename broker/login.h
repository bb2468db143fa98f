/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The gate's door (gate_api.h): a login is authenticated, gets a desktop, and its viewer a display. A gate that goes
 * away takes its login with it. The password is forwarded unread and closed.
 */
#ifndef BROKER_LOGIN_H
#define BROKER_LOGIN_H

#include "broker/broker.h"

/* Listens at RUNTIME_DIR/broker/gate.sock; peers: root, the broker's own uid, and that of [run-as] gate. */
int logins_new(struct broker *broker, struct logins **ret, struct error *err);
void logins_free(struct logins *logins);
size_t logins_count(const struct logins *logins);

#endif
