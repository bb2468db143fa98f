/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Serves org.hotdesk.Broker1 (broker_api.h) at RUNTIME_DIR/broker/admin.sock: checks the peer and the arguments by the
 * table of commands (admin_table.h), works on the store, and changes what runs through control.h alone.
 */
#ifndef BROKER_ADMIN_H
#define BROKER_ADMIN_H

#include <stdint.h>

struct admin_server;
struct broker;

/* Listens at once; the broker (its store, configuration, host client and event loop) outlives the server. 0 or -errno.
 */
int admin_server_new(struct broker *broker, struct admin_server **ret);
/* Commands under way are not answered any more; takes NULL. */
void admin_server_free(struct admin_server *server);

/* For host_client_ops.image_progress: tells whoever imports an image of that name. */
void admin_image_progress(struct admin_server *server, const char *image, uint32_t percent);

#endif
