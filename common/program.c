/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/program.h"

#include "common/cleanup.h"
#include "common/log.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sys/resource.h>

#define EXIT_USAGE 2

/* -1: go on; otherwise the exit code. */
static int parse_options(const char *name, const char *summary, int argc, char **argv, const char **ret_path)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
						{"help", no_argument, NULL, 'h'},
						{"version", no_argument, NULL, 'v'},
						{NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'c') {
			*ret_path = optarg;
		} else if (option == 'v') {
			printf("%s %s\n", name, HOTDESK_VERSION);
			return 0;
		} else {
			fprintf(option == 'h' ? stdout : stderr, "usage: %s [--config FILE]\n%s\n", name, summary);
			return option == 'h' ? 0 : EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "%s: unexpected argument %s; see --help\n", name, argv[optind]);
	return EXIT_USAGE;
}

int program_loop(sd_event **ret)
{
	sd_event *event = NULL;
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	r = sd_event_default(&event);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
	if (r < 0) {
		sd_event_unref(event);
		return r;
	}
	*ret = event;
	return 0;
}

int program_main(const char *name, const char *summary, int argc, char **argv, program_run_fn run)
{
	static const struct rlimit no_core = {0, 0};
	_cleanup_(conf_freep) struct conf *conf = NULL;
	const char *path = NULL;
	struct error err = {0};
	sd_event *event = NULL;
	int r = parse_options(name, summary, argc, argv, &path);

	if (r >= 0)
		return r;
	/* Passwords and guests' pictures pass through: nothing of it is to land in a core file. */
	setrlimit(RLIMIT_CORE, &no_core);
	if (conf_load(path, &conf, &err) < 0) {
		log_error("%s", err.text);
		return EXIT_FAILURE;
	}
	r = program_loop(&event);
	if (r < 0)
		error_set_errno(&err, r, "cannot make an event loop");
	else
		r = run(event, conf, &err);
	if (r < 0)
		log_error("%s", err.text);
	sd_event_unref(event);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
