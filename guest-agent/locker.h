/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs a screen locker (i3lock) in a user's session and says meanwhile that the screen is locked. */
#ifndef GUEST_AGENT_LOCKER_H
#define GUEST_AGENT_LOCKER_H

/* argv: the program and its arguments, NULL at the end. SIGTERM ends it. Returns its exit code or -errno. */
int locker_run(const char *socket_path, char *const *argv);

#endif
