/* SPDX-License-Identifier: GPL-3.0-or-later */
/* seccomp allow-lists by libseccomp: no_new_privs, what is not listed kills the process. */
#ifndef COMMON_SANDBOX_H
#define COMMON_SANDBOX_H

/*
 * names: NULL-terminated list of system calls (those unknown on this architecture are skipped). For the rest of the
 * process' life. 0 or -errno.
 */
int sandbox_enter(const char *const *names);

#endif
