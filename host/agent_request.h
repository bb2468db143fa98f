/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The host's requests to an agent (guest-agent/README.md) as data; pure. */
#ifndef HOST_AGENT_REQUEST_H
#define HOST_AGENT_REQUEST_H

#include "common/error.h"

#include <stdint.h>

#define AGENT_REQUEST_MAX 16384 /* bytes of a line with its newline */
#define AGENT_GROUPS_MAX 32

struct json_object;

struct agent_request {
	const char *name, *capability;
	unsigned seconds; /* how long the agent may take */
	/* Copies the fields; NULL: there are none. */
	int (*fields)(struct json_object *from, struct json_object *to, struct error *err);
};

/* NULL: there is no such request. */
const struct agent_request *agent_request_find(const char *name);

/*
 * The line with its newline; *ret is the caller's (free). fields: an object, may be NULL where none are needed; those
 * that the request does not have are left out. -EINVAL: err names what is wrong.
 */
int agent_request_line(const struct agent_request *request, uint32_t id, struct json_object *fields, char **ret,
		       struct error *err);

#endif
