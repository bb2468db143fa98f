/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hotdesk-host: images, clones and QEMU of this machine. */
#include "common/log.h"
#include "common/program.h"
#include "common/user.h"
#include "host/service.h"

static int run(sd_event *event, const struct conf *conf, struct error *err)
{
	struct service *service = NULL;
	uid_t broker_uid;
	int r = user_resolve(conf_string(conf, CONF_RUN_BROKER), &broker_uid, NULL);

	if (r < 0)
		return error_set(err, r, "[run-as] broker: there is no such user");
	r = service_new(event, conf, broker_uid, &service, err);
	if (r < 0)
		return r;
	r = sd_event_loop(event);
	service_free(service);
	return r < 0 ? error_set(err, r, "hotdesk-host cannot go on") : 0;
}

int main(int argc, char **argv)
{
	log_open("hotdesk-host");
	return program_main("hotdesk-host",
			    "Keeps images and runs desktops for hotdesk-broker. The starter or its unit calls it.",
			    argc, argv, run);
}
