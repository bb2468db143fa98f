/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hotdesk-screen: one watched desktop. */
#include "common/log.h"
#include "common/program.h"
#include "display/pulse_link.h"
#include "display/screen/control.h"
#include "display/screen/framebuffer.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

struct options {
	unsigned control_fd;
	const char *id;
	unsigned linger;
};

static void usage(FILE *out)
{
	fputs("usage: hotdesk-screen --control-fd N --id ID [--linger SECONDS]\n"
	      "Shows one desktop's picture to its viewers. hotdesk-spawn starts it for hotdesk-broker.\n",
	      out);
}

/* A whole decimal number up to 1,000,000; false for anything else. */
static bool parse_number(const char *text, unsigned *ret)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value > 1000000)
		return false;
	*ret = (unsigned)value;
	return true;
}

/* -1: go on; otherwise the exit code. */
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
	    {"control-fd", required_argument, NULL, 'c'}, {"id", required_argument, NULL, 'i'},
	    {"linger", required_argument, NULL, 'l'},     {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'v'},          {NULL, 0, NULL, 0}};
	int option;
	bool good = true;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'c':
			good = good && parse_number(optarg, &options->control_fd);
			break;
		case 'i':
			options->id = optarg;
			break;
		case 'l':
			good = good && parse_number(optarg, &options->linger);
			break;
		case 'v':
			puts("hotdesk-screen " HOTDESK_VERSION);
			return 0;
		default:
			usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : EXIT_USAGE;
		}
	}
	if (!good || options->control_fd < 3 || !options->id || optind != argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	return -1;
}

static int run(const struct options *options)
{
	struct control *control = NULL;
	sd_event *event = NULL;
	int r = program_loop(&event);

	if (r >= 0)
		r = framebuffer_guard_init();
	if (r >= 0)
		r = control_new(event, (int)options->control_fd, (uint64_t)options->linger * 1000000, &control);
	if (r >= 0)
		r = sd_event_loop(event);
	if (r < 0)
		log_error("%s: %s", options->id, strerror(-r));
	control_free(control);
	sd_event_unref(event);
	return r < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct options options = {.linger = 10};
	int r;

	log_open("hotdesk-screen");
	pulse_link_prepare();
	r = parse_options(argc, argv, &options);
	return r >= 0 ? r : run(&options);
}
