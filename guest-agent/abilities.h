/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What this guest can do for the host, found out by what is installed; and what it calls itself. */
#ifndef GUEST_AGENT_ABILITIES_H
#define GUEST_AGENT_ABILITIES_H

#include "guest-agent/codec.h"

#include <stdbool.h>

#define ABILITIES_MAX 8
#define OS_NAME_MAX 128 /* with the NUL */

struct abilities {
	const char *names[ABILITIES_MAX + 1]; /* as the protocol calls them; NULL-terminated, borrowed, for ever */
	char os[OS_NAME_MAX];                 /* PRETTY_NAME of os-release(5), or "Linux" */
};

void abilities_find(struct abilities *ret);
/* Whether a request of this type can be carried out. */
bool abilities_have(const struct abilities *abilities, enum message_type request);

#endif
