/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One nftables table that keeps QEMU's user network away from this machine and private ranges: what the desktops' uids
 * send there is dropped, but for name service to the resolvers of /etc/resolv.conf. Plain user networking would reach
 * the host's loopback.
 */
#ifndef SPAWN_NAT_H
#define SPAWN_NAT_H

#include "common/error.h"

#include <sys/types.h>

/* The table's text for nft(8) -f. resolvers: the text of resolv.conf. Caller frees; NULL: out of memory. */
char *nat_rules(uid_t first, uid_t last, const char *resolvers);

/* Loads the table (runs nft). 0 or negative errno: then user networking must not be given to anybody. */
int nat_load(uid_t first, uid_t last, struct error *err);

#endif
