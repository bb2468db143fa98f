/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A user's side of the session socket. */
#ifndef GUEST_AGENT_ROOT_SOCKET_H
#define GUEST_AGENT_ROOT_SOCKET_H

/* Connects; the fd is the caller's. Or -errno. */
int root_connect(const char *path);
/* Says "session" or "locked", which holds while the connection lasts. 0 or -errno. */
int root_say(int fd, const char *type);

#endif
