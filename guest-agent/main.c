/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hotdesk-agent: the guest's side of hotdesk, as root (default) or in the user's session (--session). */
#include "common/cleanup.h"
#include "common/log.h"
#include "guest-agent/link.h"
#include "guest-agent/locker.h"
#include "guest-agent/loop.h"
#include "guest-agent/prepare.h"
#include "guest-agent/root_part.h"
#include "guest-agent/session.h"
#include "guest-agent/session_part.h"

#include <getopt.h>
#include <signal.h>
#include <string.h>

#define STATE_PATH "/run/hotdesk-agent/session"
#define REASON_PATH "/run/hotdesk-agent/reason"
#define X_SOCKET_PATH "/tmp/.X11-unix/X0"

enum mode { MODE_ROOT = 'r', MODE_SESSION = 's', MODE_LOCKER = 'l', MODE_PREPARE = 'u' };

struct options {
	int mode;
	const char *port, *socket;
};

static const struct option long_options[] = {
    {"session", no_argument, NULL, MODE_SESSION},
    {"locker", no_argument, NULL, MODE_LOCKER},
    {"prepare-user", no_argument, NULL, MODE_PREPARE},
    {"port", required_argument, NULL, 'p'},
    {"socket", required_argument, NULL, 'k'},
    {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static const char help[] = "hotdesk-agent [--port DEVICE] [--socket PATH]      the root part of a guest\n"
			   "hotdesk-agent --session [--socket PATH]            the part of a user's X session\n"
			   "hotdesk-agent --locker [--socket PATH] PROGRAM...  runs a screen locker, for xss-lock\n"
			   "hotdesk-agent --prepare-user NAME UID GID FULL_NAME GROUPS\n"
			   "                                                   makes the account of who signs in\n"
			   "  --port DEVICE   the virtio-serial port (default: the one named " LINK_PORT_NAME ")\n"
			   "  --socket PATH   where the parts meet (default " SESSION_SOCKET_PATH ")\n"
			   "  --version, --help\n";

static int usage(FILE *stream, int result)
{
	fputs(help, stream);
	return result;
}

static bool arguments_fit(int mode, int n)
{
	if (mode == MODE_PREPARE)
		return n == PREPARE_ARGUMENTS;
	return mode == MODE_LOCKER ? n > 0 : n == 0;
}

/* -1: go on; else the exit code. */
static int parse_options(int argc, char **argv, struct options *ret)
{
	int option;

	/* "+": what follows the first other word is the locker's. */
	while ((option = getopt_long(argc, argv, "+", long_options, NULL)) >= 0) {
		switch (option) {
		case MODE_SESSION:
		case MODE_LOCKER:
		case MODE_PREPARE:
			ret->mode = option;
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
	return arguments_fit(ret->mode, argc - optind) ? -1 : usage(stderr, 2);
}

static int run_root(struct loop *loop, const struct options *options)
{
	_cleanup_(root_part_freep) struct root_part *part = NULL;
	struct root_paths paths = {.port = options->port,
				   .socket = options->socket,
				   .x = X_SOCKET_PATH,
				   .signin = {.state = STATE_PATH, .reason = REASON_PATH}};
	struct abilities abilities;
	int r;

	abilities_find(&abilities);
	r = root_part_new(loop, &paths, &abilities, &part);
	if (r < 0) {
		log_error("%s: %s", options->socket, strerror(-r));
		return r;
	}
	r = loop_run(loop);
	root_part_leave(part);
	return r;
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

static int run_loop(const struct options *options)
{
	_cleanup_(loop_freep) struct loop *loop = NULL;
	int r = loop_new(&loop);

	signal(SIGPIPE, SIG_IGN);
	if (r == 0)
		r = options->mode == MODE_SESSION ? run_session(loop, options) : run_root(loop, options);
	if (r < 0)
		log_error("ended: %s", strerror(-r));
	return r < 0 ? 1 : 0;
}

static int run_locker(const struct options *options, char *const *argv)
{
	int r = locker_run(options->socket, argv);

	return r < 0 ? 1 : r;
}

/* The last line of output is for whoever waits: the account's name, or the reason. */
static int run_prepare(char *const *arguments)
{
	char name[ACCOUNT_NAME_MAX];
	struct person person;
	struct error err = {0};

	if (prepare_parse(arguments, &person) < 0)
		return usage(stderr, 2);
	if (prepare_user(&person, name, &err) < 0) {
		if (err.text[0] != '\0')
			fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	puts(name);
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = {.mode = MODE_ROOT, .socket = SESSION_SOCKET_PATH};
	int r = parse_options(argc, argv, &options);

	if (r >= 0)
		return r;
	log_open("hotdesk-agent");
	if (options.mode == MODE_PREPARE)
		return run_prepare(argv + optind);
	if (options.mode == MODE_LOCKER)
		return run_locker(&options, argv + optind);
	return run_loop(&options);
}
