/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `hotdesk cert ...`: the gate's certificate, looked at and renewed in its files; nothing has to run. */
#ifndef CLI_CERT_H
#define CLI_CERT_H

#include "broker/admin_table.h"
#include "common/conf.h"

/* *ret: JSON, the caller's, or NULL when there is nothing more to print. */
int cert_run(const struct conf *conf, const struct admin_command *command, struct json_object *arguments, char **ret,
	     struct error *err);

/* The certificate's path by the configuration, and the own CA's directory ("": the administrator's files). 0 or
 * -ENAMETOOLONG. Both of PATH_MAX. */
int cert_paths(const struct conf *conf, char *certificate, char *directory);

#endif
