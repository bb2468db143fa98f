/* SPDX-License-Identifier: GPL-3.0-or-later */
/* image build and image update: run build-image, then ask the broker to import what it made. */
#ifndef CLI_BUILD_H
#define CLI_BUILD_H

#include "broker/admin_table.h"
#include "common/conf.h"

/* *ret: JSON of a reply, the caller's. -EINTR: a signal ended it, nothing is left. */
int build_image(const struct conf *conf, const struct admin_command *command, struct json_object *arguments, char **ret,
		struct error *err);

#endif
