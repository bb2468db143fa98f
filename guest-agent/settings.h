/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the host sets in a guest at once: short calls and small files, nothing that waits. 0 or -errno. */
#ifndef GUEST_AGENT_SETTINGS_H
#define GUEST_AGENT_SETTINGS_H

#include <stdint.h>

int settings_time(int64_t unix_usec);
/* Now and for the next start (hostname(5)). */
int settings_hostname(const char *hostname);
/* machine-id(5): 32 hexadecimal digits. */
int settings_machine_id(const char *id);

#endif
