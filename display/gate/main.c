/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hotdesk-gate: the listener, or with --connection the process of one viewer. */
#include "common/cleanup.h"
#include "common/conf.h"
#include "common/log.h"
#include "display/gate/connection.h"
#include "display/gate/listener.h"

#include <getopt.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define EXIT_USAGE 2

enum {
	OPTION_ANSWER = 'a',
	OPTION_CONFIG = 'c',
	OPTION_BROKER = 'b',
	OPTION_DEADLINE = 'd',
	OPTION_HANDSHAKE = 's',
	OPTION_TYPING = 't',
	OPTION_PEER = 'p',
};

struct options {
	const char *config;
	int is_connection;
	struct connection_settings connection;
};

static void usage(FILE *out)
{
	fputs("usage: hotdesk-gate [--config FILE]\n"
	      "Lets viewers in by TLS and VeNCrypt. SIGHUP: reads configuration and certificate anew.\n",
	      out);
}

/* -1: go on; otherwise the exit code. */
static int parse_options(int argc, char **argv, struct options *options)
{
	const struct option known[] = {{"config", required_argument, NULL, OPTION_CONFIG},
				       {"connection", no_argument, &options->is_connection, 1},
				       {"broker", required_argument, NULL, OPTION_BROKER},
				       {"deadline", required_argument, NULL, OPTION_DEADLINE},
				       {"handshake-timeout", required_argument, NULL, OPTION_HANDSHAKE},
				       {"typing-timeout", required_argument, NULL, OPTION_TYPING},
				       {"answer-timeout", required_argument, NULL, OPTION_ANSWER},
				       {"peer", required_argument, NULL, OPTION_PEER},
				       {"help", no_argument, NULL, 'h'},
				       {"version", no_argument, NULL, 'v'},
				       {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 0:
			break;
		case OPTION_CONFIG:
			options->config = optarg;
			break;
		case OPTION_BROKER:
			options->connection.broker = optarg;
			break;
		case OPTION_DEADLINE:
			options->connection.deadline = strtoll(optarg, NULL, 10);
			break;
		case OPTION_HANDSHAKE:
			options->connection.handshake_seconds = (int)strtol(optarg, NULL, 10);
			break;
		case OPTION_TYPING:
			options->connection.typing_seconds = (int)strtol(optarg, NULL, 10);
			break;
		case OPTION_ANSWER:
			options->connection.answer_seconds = (int)strtol(optarg, NULL, 10);
			break;
		case OPTION_PEER:
			snprintf(options->connection.peer, sizeof(options->connection.peer), "%s", optarg);
			break;
		case 'v':
			puts("hotdesk-gate " HOTDESK_VERSION);
			return 0;
		default:
			usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : EXIT_USAGE;
		}
	}
	return -1;
}

static int run_listener(const char *path, char **argv)
{
	_cleanup_(conf_freep) struct conf *conf = NULL;
	struct error err = {0};

	if (conf_load(path, &conf, &err) < 0) {
		log_error("%s", err.text);
		return EXIT_FAILURE;
	}
	if (listener_run(conf, path, argv, &err) < 0) {
		log_error("%s", err.text);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct rlimit no_core = {0, 0};
	struct options options = {.connection = {.socket = 3, .chain_fd = 4, .key_fd = 5, .broker = ""}};
	int r;

	log_open("hotdesk-gate");
	r = parse_options(argc, argv, &options);
	if (r >= 0)
		return r;
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_DUMPABLE, 0);
	if (!options.is_connection)
		return run_listener(options.config, argv);
	/* Without exit handlers: the sandbox lets nothing through that they would need. */
	_exit(connection_run(&options.connection));
}
