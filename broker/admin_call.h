/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One command under way in the broker, and the handlers of all commands. Shared by the files of the admin server alone.
 */
#ifndef BROKER_ADMIN_CALL_H
#define BROKER_ADMIN_CALL_H

#include "broker/admin_table.h"
#include "broker/control.h"
#include "common/cleanup.h"

#include <systemd/sd-bus.h>

struct admin_server;

struct admin_call {
	struct admin_server *server;
	struct broker *broker;
	sd_bus_message *message;
	const struct admin_command *command;
	struct json_object *arguments; /* checked by the table */
	uid_t uid;                     /* of who asks */
	int fds[ADMIN_FILES_MAX];      /* the call's */
	size_t n_fds;
	unsigned pending;         /* answers a handler waits for */
	struct error failed;      /* the first of them that went wrong */
	uint32_t min_spare;       /* of a pool whose deletion may yet be refused */
	struct json_object *work; /* of a handler with several steps */
	size_t step;
	struct admin_call *next;
};

/*
 * Starts a command. 0: the handler has answered or will (admin_reply, admin_fail), which ends the call. Negative: err
 * is answered for it, and nothing of the call is used any more.
 */
typedef int (*admin_handler)(struct admin_call *call, struct error *err);

/* Sends the JSON (taken over; NULL: out of memory) and frees the call. */
void admin_reply(struct admin_call *call, struct json_object *json);
/* As admin_reply, with a file to read; it stays the caller's. */
void admin_reply_file(struct admin_call *call, struct json_object *json, int fd);
void admin_fail(struct admin_call *call, const struct error *err);
/* {"message": TEXT}: what a person is told that was done. */
void admin_reply_text(struct admin_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Replies that the broker's store did not take it. */
int admin_store_error(struct admin_call *call, int r, struct error *err);

/* For a host_client call that could not be made. */
int admin_host_error(int r, struct error *err);

/* The argument's text; what the table demands is never NULL. */
const char *admin_argument(const struct admin_call *call, const char *key);

/* A line of the log and the store: what an administrator did; pool and desktop may be "". */
void admin_note(struct admin_call *call, const char *pool, const char *desktop, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

int admin_image_import(struct admin_call *call, struct error *err);
int admin_image_list(struct admin_call *call, struct error *err);
int admin_image_show(struct admin_call *call, struct error *err);
int admin_image_publish(struct admin_call *call, struct error *err);
int admin_image_verify(struct admin_call *call, struct error *err);
int admin_image_rollback(struct admin_call *call, struct error *err);
int admin_image_prune(struct admin_call *call, struct error *err);
int admin_image_recipe(struct admin_call *call, struct error *err);
int admin_image_log(struct admin_call *call, struct error *err);
int admin_image_delete(struct admin_call *call, struct error *err);
int admin_pool_create(struct admin_call *call, struct error *err);
int admin_pool_list(struct admin_call *call, struct error *err);
int admin_pool_show(struct admin_call *call, struct error *err);
int admin_pool_set(struct admin_call *call, struct error *err);
int admin_pool_delete(struct admin_call *call, struct error *err);
int admin_pool_entitle(struct admin_call *call, struct error *err);
int admin_pool_revoke(struct admin_call *call, struct error *err);
int admin_desktop_list(struct admin_call *call, struct error *err);
int admin_desktop_show(struct admin_call *call, struct error *err);
int admin_desktop_stop(struct admin_call *call, struct error *err);
int admin_desktop_delete(struct admin_call *call, struct error *err);
int admin_session_list(struct admin_call *call, struct error *err);
int admin_session_kill(struct admin_call *call, struct error *err);
int admin_host_show(struct admin_call *call, struct error *err);
int admin_status(struct admin_call *call, struct error *err);

#endif
