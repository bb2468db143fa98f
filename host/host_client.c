/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/host_client.h"

#include "common/bus.h"
#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#define RETRY_USEC UINT64_C(200000)
#define CALL_USEC (60 * UINT64_C(1000000))

enum reply_shape { REPLY_NOTHING, REPLY_VERSION, REPLY_JSON, REPLY_LIST, REPLY_FD };

struct host_call {
	struct host_client *client;
	sd_bus_slot *slot;
	enum reply_shape shape;
	host_done_fn done;
	void *userdata;
	struct host_call *next;
};

struct host_client {
	sd_event *event;
	sd_event_source *retry;
	char *path;
	const struct host_client_ops *ops;
	void *userdata;
	sd_bus *bus;
	sd_bus_slot *disconnect, *changed, *progress;
	bool agreed; /* Hello was answered */
	struct host_call *calls;
};

static void call_free(struct host_call *call)
{
	struct host_call **at = &call->client->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	sd_bus_slot_unref(call->slot);
	free(call);
}

static void call_finish(struct host_call *call, int r, struct json_object *json, int fd, const struct error *err)
{
	host_done_fn done = call->done;
	void *userdata = call->userdata;

	call_free(call);
	if (done)
		done(r, json, fd, err, userdata);
	else
		closep(&fd);
}

static void drop_bus(struct host_client *client)
{
	client->agreed = false;
	client->disconnect = sd_bus_slot_unref(client->disconnect);
	client->changed = sd_bus_slot_unref(client->changed);
	client->progress = sd_bus_slot_unref(client->progress);
	client->bus = sd_bus_close_unref(client->bus);
}

static void schedule(struct host_client *client)
{
	sd_event_source_set_time_relative(client->retry, RETRY_USEC);
	sd_event_source_set_enabled(client->retry, SD_EVENT_ONESHOT);
}

static int client_gone(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct host_client *client = userdata;
	struct error err = {0};
	bool agreed = client->agreed;

	(void)message;
	(void)ret_error;
	drop_bus(client);
	schedule(client);
	error_set(&err, -ENOTCONN, "hotdesk-host is being restarted: try again in a moment");
	while (client->calls)
		call_finish(client->calls, -ENOTCONN, NULL, -1, &err);
	if (agreed)
		client->ops->disconnected(client->userdata);
	return 0;
}

static int signal_changed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct host_client *client = userdata;
	struct json_object *json;
	const char *text;

	(void)ret_error;
	if (sd_bus_message_read(message, "s", &text) < 0 || !(json = json_tokener_parse(text)))
		return 0;
	client->ops->changed(json, client->userdata);
	json_object_put(json);
	return 0;
}

static int signal_progress(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct host_client *client = userdata;
	const char *name;
	uint32_t percent;

	(void)ret_error;
	if (sd_bus_message_read(message, "su", &name, &percent) >= 0)
		client->ops->image_progress(name, percent, client->userdata);
	return 0;
}

static void hello_done(int r, const struct error *err, void *userdata)
{
	struct host_client *client = userdata;

	(void)err;
	if (r < 0)
		return; /* a lost connection comes by itself; another version stays until one side is restarted */
	client->agreed = true;
	client->ops->connected(client->userdata);
}

static int client_reach(struct host_client *client)
{
	int r = bus_connect(client->event, client->path, &client->bus);

	if (r >= 0)
		r = bus_on_disconnect(client->bus, client_gone, client, &client->disconnect);
	if (r >= 0)
		r = sd_bus_match_signal(client->bus, &client->changed, NULL, HOST_API_PATH, HOST_API_INTERFACE,
					"Changed", signal_changed, client);
	if (r >= 0)
		r = sd_bus_match_signal(client->bus, &client->progress, NULL, HOST_API_PATH, HOST_API_INTERFACE,
					"ImageProgress", signal_progress, client);
	if (r >= 0)
		r = bus_hello(client->bus, HOST_API_PATH, HOST_API_INTERFACE, HOST_API_VERSION, hello_done, client);
	return r;
}

static int client_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct host_client *client = userdata;

	(void)source;
	(void)usec;
	if (client->bus)
		return 0;
	if (client_reach(client) < 0) {
		drop_bus(client);
		schedule(client);
	}
	return 0;
}

int host_client_new(sd_event *event, const char *socket_path, const struct host_client_ops *ops, void *userdata,
		    struct host_client **ret)
{
	struct host_client *client = calloc(1, sizeof(*client));
	int r;

	if (!client || !(client->path = strdup(socket_path))) {
		free(client);
		return -ENOMEM;
	}
	client->event = sd_event_ref(event);
	client->ops = ops;
	client->userdata = userdata;
	r = sd_event_add_time_relative(event, &client->retry, CLOCK_MONOTONIC, 0, 0, client_retry, client);
	if (r < 0) {
		host_client_free(client);
		return r;
	}
	*ret = client;
	return 0;
}

void host_client_free(struct host_client *client)
{
	if (!client)
		return;
	while (client->calls)
		call_free(client->calls);
	drop_bus(client);
	sd_event_source_disable_unref(client->retry);
	sd_event_unref(client->event);
	free(client->path);
	free(client);
}

static struct json_object *read_version(sd_bus_message *reply)
{
	struct json_object *json = json_object_new_object();
	uint32_t version;

	if (sd_bus_message_read(reply, "u", &version) >= 0)
		json_object_object_add(json, "version", json_object_new_int64(version));
	return json;
}

static struct json_object *read_json(sd_bus_message *reply)
{
	const char *text;

	return sd_bus_message_read(reply, "s", &text) < 0 ? NULL : json_tokener_parse(text);
}

static struct json_object *read_list(sd_bus_message *reply)
{
	struct json_object *json = json_object_new_object(), *list;
	uint64_t generation;
	const char *text;

	if (sd_bus_message_read(reply, "ts", &generation, &text) < 0 || !(list = json_tokener_parse(text))) {
		json_object_put(json);
		return NULL;
	}
	json_object_object_add(json, "generation", json_object_new_int64((int64_t)generation));
	json_object_object_add(json, "desktops", list);
	return json;
}

static int read_fd(sd_bus_message *reply)
{
	int fd;

	if (sd_bus_message_read(reply, "h", &fd) < 0)
		return -EBADMSG;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fd;
}

static int call_answered(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct host_call *call = userdata;
	struct json_object *json = NULL;
	struct error err = {0};
	int fd = -1, r = 0;

	(void)ret_error;
	if (sd_bus_message_is_method_error(reply, NULL))
		r = bus_reply_error(reply, &err);
	else if (call->shape == REPLY_VERSION)
		json = read_version(reply);
	else if (call->shape == REPLY_JSON)
		json = read_json(reply);
	else if (call->shape == REPLY_LIST)
		json = read_list(reply);
	else if (call->shape == REPLY_FD)
		fd = read_fd(reply);
	if (r == 0 &&
	    ((call->shape == REPLY_FD && fd < 0) || (!json && call->shape != REPLY_FD && call->shape != REPLY_NOTHING)))
		r = error_set(&err, -EBADMSG, "hotdesk-host answered something that is not understood");
	call_finish(call, r, json, fd < 0 ? -1 : fd, &err);
	json_object_put(json);
	return 0;
}

/* message: the result r of making it so far; taken over. */
static int call_send(struct host_client *client, sd_bus_message *message, int r, enum reply_shape shape, uint64_t usec,
		     host_done_fn done, void *userdata)
{
	struct host_call *call = r < 0 ? NULL : calloc(1, sizeof(*call));

	if (r >= 0 && !call)
		r = -ENOMEM;
	if (call) {
		*call = (struct host_call){
		    .client = client, .shape = shape, .done = done, .userdata = userdata, .next = client->calls};
		client->calls = call;
		r = sd_bus_call_async(client->bus, &call->slot, message, call_answered, call, usec);
		if (r < 0)
			call_free(call);
	}
	sd_bus_message_unref(message);
	return r < 0 ? r : 0;
}

static int call_new(struct host_client *client, const char *method, sd_bus_message **ret)
{
	if (!client->agreed)
		return -ENOTCONN;
	return sd_bus_message_new_method_call(client->bus, ret, NULL, HOST_API_PATH, HOST_API_INTERFACE, method);
}

int host_client_image_import(struct host_client *client, const char *name, int disk_fd, int kernel_fd, int initrd_fd,
			     const char *append, host_done_fn done, void *userdata)
{
	sd_bus_message *message = NULL;
	bool boot = kernel_fd >= 0 && initrd_fd >= 0;
	int r = (kernel_fd >= 0) != (initrd_fd >= 0) ? -EINVAL : call_new(client, "ImageImport", &message);

	/* D-Bus has no absent fd: the disk's stands in where there is no kernel. */
	if (r >= 0)
		r = sd_bus_message_append(message, "shbhhs", name, disk_fd, boot, boot ? kernel_fd : disk_fd,
					  boot ? initrd_fd : disk_fd, append);
	return call_send(client, message, r, REPLY_VERSION, UINT64_MAX, done, userdata);
}

int host_client_image_list(struct host_client *client, host_done_fn done, void *userdata)
{
	sd_bus_message *message = NULL;
	int r = call_new(client, "ImageList", &message);

	return call_send(client, message, r, REPLY_JSON, CALL_USEC, done, userdata);
}

int host_client_image_delete(struct host_client *client, const char *name, uint32_t version, host_done_fn done,
			     void *userdata)
{
	sd_bus_message *message = NULL;
	int r = call_new(client, "ImageDelete", &message);

	if (r >= 0)
		r = sd_bus_message_append(message, "su", name, version);
	return call_send(client, message, r, REPLY_NOTHING, CALL_USEC, done, userdata);
}

int host_client_set_desired(struct host_client *client, uint64_t generation, struct json_object *desired,
			    host_done_fn done, void *userdata)
{
	sd_bus_message *message = NULL;
	int r = call_new(client, "SetDesired", &message);

	if (r >= 0)
		r = sd_bus_message_append(message, "ts", generation,
					  json_object_to_json_string_ext(desired, JSON_C_TO_STRING_PLAIN));
	return call_send(client, message, r, REPLY_NOTHING, CALL_USEC, done, userdata);
}

int host_client_list(struct host_client *client, host_done_fn done, void *userdata)
{
	sd_bus_message *message = NULL;
	int r = call_new(client, "List", &message);

	return call_send(client, message, r, REPLY_LIST, CALL_USEC, done, userdata);
}

int host_client_open_display(struct host_client *client, const char *id, host_done_fn done, void *userdata)
{
	sd_bus_message *message = NULL;
	int r = call_new(client, "OpenDisplay", &message);

	if (r >= 0)
		r = sd_bus_message_append(message, "s", id);
	return call_send(client, message, r, REPLY_FD, CALL_USEC, done, userdata);
}

int host_client_stop(struct host_client *client, const char *id, int force, host_done_fn done, void *userdata)
{
	sd_bus_message *message = NULL;
	int r = call_new(client, "Stop", &message);

	if (r >= 0)
		r = sd_bus_message_append(message, "sb", id, force);
	return call_send(client, message, r, REPLY_NOTHING, CALL_USEC, done, userdata);
}

int host_client_show(struct host_client *client, host_done_fn done, void *userdata)
{
	sd_bus_message *message = NULL;
	int r = call_new(client, "Show", &message);

	return call_send(client, message, r, REPLY_JSON, CALL_USEC, done, userdata);
}

void host_client_forget(struct host_client *client, void *userdata)
{
	for (struct host_call *call = client->calls, *next; call; call = next) {
		next = call->next;
		if (call->userdata == userdata)
			call_free(call);
	}
}
