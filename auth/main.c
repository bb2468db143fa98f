/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hotdesk-auth: the only program that speaks PAM. */
#include "auth/attempt.h"
#include "auth/server.h"
#include "common/log.h"
#include "common/program.h"
#include "common/user.h"

#include <signal.h>
#include <string.h>

static int run(sd_event *event, const struct conf *conf, struct error *err)
{
	struct auth_server *server = NULL;
	uid_t broker_uid;
	int r = user_resolve(conf_string(conf, CONF_RUN_BROKER), &broker_uid, NULL);

	if (r < 0)
		return error_set(err, r, "[run-as] broker: there is no such user");
	r = auth_server_new(event, conf, broker_uid, &server, err);
	if (r < 0)
		return r;
	log_notice("ready");
	r = sd_event_loop(event);
	auth_server_free(server);
	return r;
}

int main(int argc, char **argv)
{
	log_open("hotdesk-auth");
	if (argc == 2 && strcmp(argv[1], "--attempt") == 0)
		return attempt_main();
	return program_main("hotdesk-auth",
			    "Authenticates users by PAM for hotdesk-broker. The starter or its unit calls it.", argc,
			    argv, run);
}
