/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Serves org.hotdesk.Host1 (host_api.h). */
#ifndef HOST_SERVICE_H
#define HOST_SERVICE_H

#include "common/conf.h"
#include "common/error.h"

#include <systemd/sd-event.h>

struct service;

/*
 * Reads images and desktops, looks for desktops that still run, and begins to listen once all of them are found. conf
 * is kept.
 */
int service_new(sd_event *event, const struct conf *conf, uid_t broker_uid, struct service **ret, struct error *err);
/* Desktops go on. */
void service_free(struct service *service);

#endif
