/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether the X server is there, known without asking it again and again. */
#ifndef GUEST_AGENT_X_WATCH_H
#define GUEST_AGENT_X_WATCH_H

#include "guest-agent/loop.h"

#include <stdbool.h>

struct x_watch;

/* Called on each change; the first word is `true`. */
typedef void (*x_watch_fn)(bool there, void *userdata);

/*
 * Looks for a server that listens at `path` (kept, not copied) until there is one, and then waits for the end of that
 * process. A socket that another user has put there is no X server. 0 or -errno; fn is not called within.
 */
int x_watch_new(struct loop *loop, const char *path, x_watch_fn fn, void *userdata, struct x_watch **ret);
/* Takes NULL. */
void x_watch_free(struct x_watch *watch);

#endif
