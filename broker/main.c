/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hotdesk-broker: who gets which desktop, and everything between a login and its log-off. */
#include "broker/admin.h"
#include "broker/broker.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/program.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

static void image_progress(const char *image, uint32_t percent, void *userdata)
{
	admin_image_progress(userdata, image, percent);
}

/* A viewer costs some ten: its stream, its display's process and control socket, perhaps a screen's. */
static void raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		log_warning("cannot raise the limit of open files: %s", strerror(errno));
}

static int run(sd_event *event, const struct conf *conf, struct error *err)
{
	_cleanup_(broker_freep) struct broker *broker = NULL;
	struct admin_server *admin = NULL;
	int r;

	raise_files();
	r = broker_new(event, conf, &broker, err);
	if (r < 0)
		return r;
	r = admin_server_new(broker, &admin);
	if (r < 0)
		return error_set_errno(err, r, "the admin socket cannot be made");
	broker->image_progress = image_progress;
	broker->image_userdata = admin;
	log_notice("ready");
	r = sd_event_loop(event);
	broker->image_progress = NULL;
	admin_server_free(admin);
	return r < 0 ? error_set_errno(err, r, "the event loop failed") : 0;
}

int main(int argc, char **argv)
{
	log_open("hotdesk-broker");
	return program_main("hotdesk-broker",
			    "Gives each user a desktop and keeps pools and sessions. The starter or its unit calls it.",
			    argc, argv, run);
}
