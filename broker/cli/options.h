/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The options that every command knows, taken out of the command line wherever they stand. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "common/error.h"

#include <stdbool.h>

#define OPTIONS_HELP                                                                                                   \
	"Options of every command:\n"                                                                                  \
	"  -o table|json           How to print what was asked for. Default: table\n"                                  \
	"  --config FILE           Configuration file. Default: $HOTDESK_CONFIG or /etc/hotdesk/hotdesk.conf\n"        \
	"  --help                  Help, also behind a noun or a command\n"                                            \
	"  --version               Print the version\n"

struct options {
	const char *config; /* NULL: the default */
	bool json, help, version;
	int n_words;  /* what is left */
	char **words; /* argv's, in its order; options_clear frees the list */
};

/* -EINVAL: err says what is wrong. Words behind "--" stay as they are ("--" too). */
int options_parse(int argc, char **argv, struct options *ret, struct error *err);
void options_clear(struct options *options);

#endif
