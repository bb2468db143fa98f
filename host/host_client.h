/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The broker's side of org.hotdesk.Host1 (host_api.h). Reconnects by itself; never blocks. */
#ifndef HOST_CLIENT_H
#define HOST_CLIENT_H

#include "common/error.h"
#include "host/host_api.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct host_client;

struct host_client_ops {
	/* Connected (again) and Hello agreed: send SetDesired and ask List. */
	void (*connected)(void *userdata);
	void (*disconnected)(void *userdata);
	/* Changed: one desktop's object; borrowed. */
	void (*changed)(struct json_object *desktop, void *userdata);
	void (*image_progress)(const char *name, uint32_t percent, void *userdata);
};

/* r < 0: err->text is for the person; -ENOTCONN when the host is away. json (borrowed) / fd (the callee's) by call,
 * else NULL / -1. */
typedef void (*host_done_fn)(int r, struct json_object *json, int fd, const struct error *err, void *userdata);

int host_client_new(sd_event *event, const char *socket_path, const struct host_client_ops *ops, void *userdata,
		    struct host_client **ret);
void host_client_free(struct host_client *client);

/* Files that are not there are -1; they stay the caller's. Texts: "" where there is none. */
struct host_image_import {
	const char *name, *append, *recipe_name;
	int disk, kernel, initrd, recipe, log;
	bool publish;
};

/* json: {"version":N}. No timeout. */
int host_client_image_import(struct host_client *client, const struct host_image_import *import, host_done_fn done,
			     void *userdata);
int host_client_image_list(struct host_client *client, host_done_fn done, void *userdata);
int host_client_image_delete(struct host_client *client, const char *name, uint32_t version, host_done_fn done,
			     void *userdata);
/* json: {"version":N}, the one that is published now. No timeout. */
int host_client_image_publish(struct host_client *client, const char *name, uint32_t version, host_done_fn done,
			      void *userdata);
int host_client_image_rollback(struct host_client *client, const char *name, host_done_fn done, void *userdata);
/* -EUCLEAN: damaged. No timeout. */
int host_client_image_verify(struct host_client *client, const char *name, uint32_t version, host_done_fn done,
			     void *userdata);
/* what: "recipe" or "log"; version 0: the newest. json: {"version":N}, and the fd. */
int host_client_image_open(struct host_client *client, const char *name, uint32_t version, const char *what,
			   host_done_fn done, void *userdata);
/* desired: JSON array, borrowed. */
int host_client_set_desired(struct host_client *client, uint64_t generation, struct json_object *desired,
			    host_done_fn done, void *userdata);
/* json: {"generation":N,"desktops":[...]} */
int host_client_list(struct host_client *client, host_done_fn done, void *userdata);
int host_client_open_display(struct host_client *client, const char *id, host_done_fn done, void *userdata);
int host_client_open_vdagent(struct host_client *client, const char *id, host_done_fn done, void *userdata);
int host_client_stop(struct host_client *client, const char *id, int force, host_done_fn done, void *userdata);
/* A request of the agent's (host_api.h: AgentCall); arguments is borrowed and may be NULL. -ENOTCONN: host or agent are
 * away. */
int host_client_agent_call(struct host_client *client, const char *id, const char *request,
			   struct json_object *arguments, host_done_fn done, void *userdata);
int host_client_show(struct host_client *client, host_done_fn done, void *userdata);
/* Drops all calls under way with this userdata; their done is not called. */
void host_client_forget(struct host_client *client, void *userdata);

#endif
