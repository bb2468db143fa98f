/* SPDX-License-Identifier: GPL-3.0-or-later */
/* json-c with the cleanup attribute. */
#ifndef GUEST_AGENT_JSON_H
#define GUEST_AGENT_JSON_H

#include <json-c/json.h>

static inline void json_putp(struct json_object **object)
{
	json_object_put(*object);
}

#endif
