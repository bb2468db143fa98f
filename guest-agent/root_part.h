/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The agent as root: what the host asks for is done, and what becomes of the desktop is told. */
#ifndef GUEST_AGENT_ROOT_PART_H
#define GUEST_AGENT_ROOT_PART_H

#include "guest-agent/abilities.h"
#include "guest-agent/loop.h"
#include "guest-agent/signin.h"

struct root_part;

struct root_paths {
	const char *port;      /* the device; NULL: found by its name */
	const char *clipboard; /* likewise, of the clipboard's port */
	const char *socket;    /* of the session parts */
	const char *x;         /* the X server's socket */
	struct signin_paths signin;
};

/* paths are kept, not copied. 0 or -errno. */
int root_part_new(struct loop *loop, const struct root_paths *paths, const struct abilities *abilities,
		  struct root_part **ret);
/* At the end of the program: tells the host where the whole guest goes down. */
void root_part_leave(struct root_part *part);
/* Takes NULL. */
void root_part_free(struct root_part *part);
void root_part_freep(struct root_part **part);

#endif
