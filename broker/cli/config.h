/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check-config: the one command that needs no broker. */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "common/conf.h"

/* Prints what is in force, as a configuration file or as JSON {"section": {"key": value}}. 0 or -ENOMEM. */
int config_print(const struct conf *conf, int json);

#endif
