/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `hotdesk host show` tells of this machine. */
#ifndef HOST_FACTS_H
#define HOST_FACTS_H

#include "host/accel.h"

#include <json-c/json.h>
#include <stdint.h>

#define FACTS_VERSION_SIZE 64

struct facts {
	enum accel accel;
	const char *accel_reason;
	const char *state_dir;
	const char *qemu_version;
	uint32_t spawn_flags; /* SPAWN_FLAG_* */
};

/* host_api.h: Show. The caller's; NULL: out of memory. */
struct json_object *facts_json(const struct facts *facts);

/* Asks the QEMU that desktops are started with; "" in ret where there is none. For a worker thread. */
void facts_qemu_version(char ret[FACTS_VERSION_SIZE]);

#endif
