/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Serves org.hotdesk.Auth1 (auth_api.h) to the broker: starts, bounds and ends the attempts. */
#ifndef AUTH_SERVER_H
#define AUTH_SERVER_H

#include "common/conf.h"
#include "common/error.h"

#include <systemd/sd-event.h>

struct auth_server;

/* conf is kept, not copied. broker_uid: who is served beside root. */
int auth_server_new(sd_event *event, const struct conf *conf, uid_t broker_uid, struct auth_server **ret,
		    struct error *err);
void auth_server_free(struct auth_server *server);

#endif
