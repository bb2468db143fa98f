/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hotdesk-agent: the guest's side of hotdesk, as root (default) or in the user's session (--session). */
#include "common/cleanup.h"
#include "common/log.h"
#include "guest-agent/link.h"
#include "guest-agent/loop.h"
#include "guest-agent/session.h"
#include "guest-agent/session_part.h"

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

struct options {
	bool session;
	const char *port, *socket;
};

static const struct option long_options[] = {
    {"session", no_argument, NULL, 's'},      {"port", required_argument, NULL, 'p'},
    {"socket", required_argument, NULL, 'k'}, {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},         {0},
};

static const char help[] = "hotdesk-agent [--port DEVICE] [--socket PATH]   the root part of a guest\n"
			   "hotdesk-agent --session [--socket PATH]         the part of a user's X session\n"
			   "  --port DEVICE   the virtio-serial port (default: the one named " LINK_PORT_NAME ")\n"
			   "  --socket PATH   where the parts meet (default " SESSION_SOCKET_PATH ")\n"
			   "  --version, --help\n";

static int usage(FILE *stream, int result)
{
	fputs(help, stream);
	return result;
}

/* -1: go on; else the exit code. */
static int parse_options(int argc, char **argv, struct options *ret)
{
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		switch (option) {
		case 's':
			ret->session = true;
			break;
		case 'p':
			ret->port = optarg;
			break;
		case 'k':
			ret->socket = optarg;
			break;
		case 'v':
			puts("hotdesk-agent " HOTDESK_VERSION);
			return 0;
		case 'h':
			return usage(stdout, 0);
		default:
			return usage(stderr, 2);
		}
	}
	return optind < argc ? usage(stderr, 2) : -1;
}

static void on_sessions(bool up, void *userdata)
{
	link_set_ready(userdata, up);
}

static int run_root(struct loop *loop, const struct options *options)
{
	_cleanup_(link_freep) struct host_link *host = NULL;
	_cleanup_(sessions_freep) struct sessions *sessions = NULL;
	int r = link_new(loop, options->port, &host);

	if (r < 0)
		return r;
	r = sessions_new(loop, options->socket, on_sessions, host, &sessions);
	if (r < 0) {
		log_error("%s: %s", options->socket, strerror(-r));
		return r;
	}
	return loop_run(loop);
}

static int run_session(struct loop *loop, const struct options *options)
{
	_cleanup_(session_part_freep) struct session_part *part = NULL;
	int r = session_part_new(loop, options->socket, &part);

	if (r < 0) {
		log_error("the X server of $DISPLAY cannot be used: %s", strerror(-r));
		return r;
	}
	return loop_run(loop);
}

int main(int argc, char **argv)
{
	struct options options = {.socket = SESSION_SOCKET_PATH};
	_cleanup_(loop_freep) struct loop *loop = NULL;
	int r = parse_options(argc, argv, &options);

	if (r >= 0)
		return r;
	log_open("hotdesk-agent");
	signal(SIGPIPE, SIG_IGN);
	r = loop_new(&loop);
	if (r == 0)
		r = options.session ? run_session(loop, &options) : run_root(loop, &options);
	if (r < 0)
		log_error("ended: %s", strerror(-r));
	return r < 0 ? 1 : 0;
}
