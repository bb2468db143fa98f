/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Serves spawn_api.h: one SOCK_SEQPACKET connection per peer, one reply per request. */
#ifndef SPAWN_SERVER_H
#define SPAWN_SERVER_H

#include "common/error.h"
#include "host/spawn/spawn_api.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

struct spawn_settings {
	const char *runtime_dir; /* records and spawn.sock live in RUNTIME_DIR/spawn */
	uid_t host_uid, broker_uid;
	uid_t vm_uid_first;
	uint32_t vm_uid_count;
	gid_t kvm_group;             /* of /dev/kvm, 0: none */
	bool namespaces;             /* children can get their own */
	uint32_t flags;              /* SPAWN_FLAG_*, as STATUS answers */
	char no_nat[SPAWN_TEXT_MAX]; /* why SPAWN_FLAG_NAT is not among them */
};

struct spawn_server;

/* settings is copied, its strings are kept. */
int spawn_server_new(sd_event *event, const struct spawn_settings *settings, struct spawn_server **ret,
		     struct error *err);
void spawn_server_free(struct spawn_server *server);

#endif
