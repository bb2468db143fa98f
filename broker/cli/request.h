/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One command asked of the broker over its admin socket. */
#ifndef CLI_REQUEST_H
#define CLI_REQUEST_H

#include "broker/admin_table.h"
#include "common/conf.h"

/* Opens the files among the arguments (and puts their index in the place of the path), waits for the reply. *ret: JSON,
 * the caller's. */
int request_run(const struct conf *conf, const struct admin_command *command, struct json_object *arguments, char **ret,
		struct error *err);

/* The same for a command with ADMIN_PRINTS: *ret_fd is the text's file, the caller's. */
int request_open(const struct conf *conf, const struct admin_command *command, struct json_object *arguments,
		 char **ret, int *ret_fd, struct error *err);

#endif
