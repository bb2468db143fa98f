/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who a user is, by the name service (NSS): only hotdesk-auth's attempts ask it, since it may block. */
#ifndef AUTH_IDENTITY_H
#define AUTH_IDENTITY_H

#include "auth/attempt.h"

/* Fills name, full_name, uid, gid and groups. A name NSS does not know keeps its spelling, with AUTH_UID_UNKNOWN and no
 * groups. */
int identity_look_up(const char *name, struct attempt_result *result);

#endif
