/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hotdesk-display: what one viewer sees and does (viewer_api.h). */
#include "common/cleanup.h"
#include "common/log.h"
#include "common/program.h"
#include "display/pulse_link.h"
#include "display/viewer/control.h"
#include "display/viewer/picture.h"
#include "display/viewer/tiles.h"

#include <getopt.h>
#include <string.h>

#define CLIPBOARD_MAX (64L << 20)
#define CLIPBOARD_DEFAULT ((size_t)8 << 20)

struct arguments {
	int control_fd;
	struct viewer_config viewer;
};

static const struct option options[] = {
    {"stream-fd", required_argument, NULL, 's'},
    {"control-fd", required_argument, NULL, 'c'},
    {"name", required_argument, NULL, 'n'},
    {"keyboard", required_argument, NULL, 'k'},
    {"size", required_argument, NULL, 'z'},
    {"max", required_argument, NULL, 'm'},
    {"title", required_argument, NULL, 't'},
    {"detail", required_argument, NULL, 'd'},
    {"clipboard-max", required_argument, NULL, 'b'},
    {"config", required_argument, NULL, 'f'},
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "usage: hotdesk-display --stream-fd N --control-fd N [--name TEXT] [--keyboard XKB] [--size WxH] [--max WxH]\n"
    "                       [--title TEXT] [--detail TEXT] [--clipboard-max BYTES]\n"
    "hotdesk-spawn starts it, once for each viewer's connection.\n";

static int parse_fd(const char *text, int *ret)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value < 0 || value > 1023)
		return -1;
	*ret = (int)value;
	return 0;
}

static int parse_size(const char *text, int *width, int *height)
{
	char *end;
	const int most = PICTURE_EDGE_MAX;
	long w = strtol(text, &end, 10), h;

	if (*end != 'x')
		return -1;
	h = strtol(end + 1, &end, 10);
	if (*end != '\0' || w < 1 || h < 1 || w > most || h > most)
		return -1;
	*width = (int)w;
	*height = (int)h;
	return 0;
}

static int parse_bytes(const char *text, size_t *ret)
{
	char *end;
	long bytes = strtol(text, &end, 10);

	if (*end != '\0' || bytes < 1 || bytes > CLIPBOARD_MAX)
		return -1;
	*ret = (size_t)bytes;
	return 0;
}

static int parse_option(struct arguments *arguments, int option, const char *value)
{
	struct viewer_config *viewer = &arguments->viewer;

	switch (option) {
	case 's':
		return parse_fd(value, &viewer->stream_fd);
	case 'c':
		return parse_fd(value, &arguments->control_fd);
	case 'n':
		viewer->name = value;
		return 0;
	case 'k':
		viewer->keyboard = value;
		return 0;
	case 'z':
		return parse_size(value, &viewer->width, &viewer->height);
	case 'm':
		return parse_size(value, &viewer->max_width, &viewer->max_height);
	case 't':
		viewer->title = value;
		return 0;
	case 'd':
		viewer->detail = value;
		return 0;
	case 'b':
		return parse_bytes(value, &viewer->clipboard_max);
	case 'f': /* common to all programs; nothing in the file is for this one */
		return 0;
	default:
		return -1;
	}
}

static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (parse_option(arguments, option, optarg) < 0)
			return -1;
	return optind == argc && arguments->viewer.stream_fd >= 0 && arguments->control_fd >= 0 ? 0 : -1;
}

static int run(sd_event *event, struct arguments *arguments)
{
	struct control *control = NULL;
	struct viewer *viewer = NULL;
	struct error err = {0};
	int r = control_new(event, arguments->control_fd, &control);

	if (r < 0) {
		log_error("--control-fd %d: %s", arguments->control_fd, strerror(-r));
		return EXIT_FAILURE;
	}
	r = viewer_new(event, &arguments->viewer, &control_viewer_ops, control, &viewer, &err);
	if (r < 0) {
		log_error("%s", err.text);
	} else {
		control_attach(control, viewer);
		r = sd_event_loop(event);
	}
	viewer_free(viewer);
	control_free(control);
	return r < 0 ? EXIT_FAILURE : r;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
	    .control_fd = -1,
	    .viewer = {-1, "hotdesk", "us", "Your desktop", "is being prepared.", 1280, 800, PICTURE_EDGE_MAX,
		       PICTURE_EDGE_MAX, CLIPBOARD_DEFAULT},
	};
	sd_event *event = NULL;
	int r;

	log_open("hotdesk-display");
	pulse_link_prepare();
	if (parse_arguments(argc, argv, &arguments) < 0) {
		fputs(usage, stderr);
		return 2;
	}
	picture_prepare();
	r = program_loop(&event);
	r = r < 0 ? EXIT_FAILURE : run(event, &arguments);
	sd_event_unref(event);
	return r;
}
