/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/host_client.h"

#include "common/bus.h"
#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define RETRY_USEC UINT64_C(100000)
#define ANSWER_USEC (60 * UINT64_C(1000000))
#define AGENT_USEC (120 * UINT64_C(1000000)) /* longer than the host waits for a guest */
#define AWAY "hotdesk-host is not running or is being restarted: try again in a few seconds"

struct host_call {
	struct host_client *client;
	sd_bus_slot *slot;
	sd_event_source *defer; /* answers from the loop what failed at once */
	/* Makes json or fd of a reply; NULL: there is nothing in it. */
	int (*read)(sd_bus_message *reply, struct json_object **ret_json, int *ret_fd);
	host_done_fn done;
	void *userdata;
	struct host_call *next;
};

struct host_client {
	sd_event *event;
	char *path;
	const struct host_client_ops *ops;
	void *userdata;
	sd_bus *bus;
	sd_bus_slot *disconnect;
	sd_event_source *retry;
	bool agreed; /* Hello was answered: `connected` was called */
	struct host_call *calls;
};

static void host_call_free(struct host_call *call)
{
	struct host_call **at = &call->client->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	sd_bus_slot_unref(call->slot);
	sd_event_source_disable_unref(call->defer);
	free(call);
}

/* Frees the call first: `done` may free the client. json is taken over. */
static void host_call_finish(struct host_call *call, int r, struct json_object *json, int fd, const struct error *err)
{
	host_done_fn done = call->done;
	void *userdata = call->userdata;

	host_call_free(call);
	if (done)
		done(r, json, fd, err, userdata);
	else
		closep(&fd);
	json_object_put(json);
}

static void host_call_away(struct host_call *call)
{
	struct error err = {0};

	error_set(&err, -ENOTCONN, AWAY);
	host_call_finish(call, err.code, NULL, -1, &err);
}

static void retry_soon(struct host_client *client)
{
	sd_event_source_set_time_relative(client->retry, RETRY_USEC);
	sd_event_source_set_enabled(client->retry, SD_EVENT_ONESHOT);
}

static void drop_bus(struct host_client *client)
{
	client->disconnect = sd_bus_slot_unref(client->disconnect);
	client->bus = sd_bus_close_unref(client->bus);
}

/* What is under way will not be answered any more. */
static void lost(struct host_client *client)
{
	bool agreed = client->agreed;

	client->agreed = false;
	drop_bus(client);
	retry_soon(client);
	for (struct host_call *at = client->calls, *next; at; at = next) {
		next = at->next;
		if (!at->slot)
			continue;
		host_call_away(at);
		/* `done` may have forgotten others. */
		next = client->calls;
	}
	if (agreed && client->ops->disconnected)
		client->ops->disconnected(client->userdata);
}

static int bus_gone(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	(void)message;
	(void)ret_error;
	lost(userdata);
	return 0;
}

static int on_changed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct host_client *client = userdata;
	struct json_object *desktop;
	const char *text;

	(void)ret_error;
	if (!client->agreed || sd_bus_message_read(message, "s", &text) < 0)
		return 0;
	desktop = json_tokener_parse(text);
	if (json_object_is_type(desktop, json_type_object) && client->ops->changed)
		client->ops->changed(desktop, client->userdata);
	json_object_put(desktop);
	return 0;
}

static int on_progress(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct host_client *client = userdata;
	const char *name;
	uint32_t percent;

	(void)ret_error;
	if (client->agreed && client->ops->image_progress && sd_bus_message_read(message, "su", &name, &percent) >= 0)
		client->ops->image_progress(name, percent, client->userdata);
	return 0;
}

static void hello_done(int r, const struct error *err, void *userdata)
{
	struct host_client *client = userdata;

	(void)err;
	if (r < 0) {
		lost(client);
		return;
	}
	client->agreed = true;
	if (client->ops->connected)
		client->ops->connected(client->userdata);
}

static int add_signal(struct host_client *client, const char *name, sd_bus_message_handler_t handler)
{
	return sd_bus_match_signal(client->bus, NULL, NULL, HOST_API_PATH, HOST_API_INTERFACE, name, handler, client);
}

static int reach(struct host_client *client)
{
	int r = bus_connect(client->event, client->path, &client->bus);

	if (r < 0)
		return r;
	r = bus_on_disconnect(client->bus, bus_gone, client, &client->disconnect);
	if (r >= 0)
		r = add_signal(client, "Changed", on_changed);
	if (r >= 0)
		r = add_signal(client, "ImageProgress", on_progress);
	if (r >= 0)
		r = bus_hello(client->bus, HOST_API_PATH, HOST_API_INTERFACE, HOST_API_VERSION, hello_done, client);
	if (r < 0)
		drop_bus(client);
	return r;
}

static int retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct host_client *client = userdata;

	(void)source;
	(void)usec;
	if (!client->bus && reach(client) < 0)
		retry_soon(client);
	return 0;
}

int host_client_new(sd_event *event, const char *socket_path, const struct host_client_ops *ops, void *userdata,
		    struct host_client **ret)
{
	struct host_client *client = calloc(1, sizeof(*client));
	int r = -ENOMEM;

	if (!client)
		return r;
	client->event = sd_event_ref(event);
	client->ops = ops;
	client->userdata = userdata;
	client->path = strdup(socket_path);
	if (client->path)
		r = sd_event_add_time_relative(event, &client->retry, CLOCK_MONOTONIC, 0, 0, retry, client);
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
		host_call_free(client->calls);
	drop_bus(client);
	sd_event_source_disable_unref(client->retry);
	sd_event_unref(client->event);
	free(client->path);
	free(client);
}

void host_client_forget(struct host_client *client, void *userdata)
{
	for (struct host_call *at = client->calls, *next; at; at = next) {
		next = at->next;
		if (at->userdata == userdata && at->done)
			host_call_free(at);
	}
}

static int read_text(sd_bus_message *reply, struct json_object **ret_json, int *ret_fd)
{
	const char *text;
	int r = sd_bus_message_read(reply, "s", &text);

	(void)ret_fd;
	if (r < 0)
		return r;
	*ret_json = json_tokener_parse(text);
	return *ret_json ? 0 : -EBADMSG;
}

static int read_version(sd_bus_message *reply, struct json_object **ret_json, int *ret_fd)
{
	uint32_t version;
	int r = sd_bus_message_read(reply, "u", &version);

	(void)ret_fd;
	if (r < 0)
		return r;
	*ret_json = json_object_new_object();
	if (!*ret_json)
		return -ENOMEM;
	return json_object_object_add(*ret_json, "version", json_object_new_int64(version)) < 0 ? -ENOMEM : 0;
}

static int read_list(sd_bus_message *reply, struct json_object **ret_json, int *ret_fd)
{
	struct json_object *list;
	uint64_t generation;
	const char *text;
	int r = sd_bus_message_read(reply, "ts", &generation, &text);

	(void)ret_fd;
	if (r < 0)
		return r;
	list = json_tokener_parse(text);
	*ret_json = json_object_new_object();
	if (!list || !*ret_json || json_object_object_add(*ret_json, "desktops", list) < 0) {
		json_object_put(list);
		return -EBADMSG;
	}
	return json_object_object_add(*ret_json, "generation", json_object_new_int64((int64_t)generation)) < 0 ? -ENOMEM
													       : 0;
}

static int read_fd(sd_bus_message *reply, struct json_object **ret_json, int *ret_fd)
{
	int fd, r = sd_bus_message_read(reply, "h", &fd);

	(void)ret_json;
	if (r < 0)
		return r;
	*ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return *ret_fd < 0 ? -errno : 0;
}

static int read_version_fd(sd_bus_message *reply, struct json_object **ret_json, int *ret_fd)
{
	int r = read_version(reply, ret_json, ret_fd);

	return r < 0 ? r : read_fd(reply, ret_json, ret_fd);
}

static int answered(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct host_call *call = userdata;
	struct json_object *json = NULL;
	struct error err = {0};
	int fd = -1, r = 0;

	(void)ret_error;
	/* sd-bus's own, for a connection that ended or a host that hangs. */
	if (sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NO_REPLY)) {
		host_call_away(call);
		return 1;
	}
	if (sd_bus_message_is_method_error(reply, NULL))
		r = bus_reply_error(reply, &err);
	else if (call->read && call->read(reply, &json, &fd) < 0)
		r = error_set(&err, -EBADMSG,
			      "hotdesk-host's answer is not understood: restart all programs from one "
			      "release");
	if (r < 0) {
		json_object_put(json);
		json = NULL;
	}
	host_call_finish(call, r, json, fd, &err);
	return 1;
}

static int deferred(sd_event_source *source, void *userdata)
{
	(void)source;
	host_call_away(userdata);
	return 0;
}

static struct host_call *call_new(struct host_client *client, host_done_fn done, void *userdata)
{
	struct host_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->client = client;
	call->done = done;
	call->userdata = userdata;
	call->next = client->calls;
	client->calls = call;
	return call;
}

/* Sends a method call, or answers from the loop that the host is away. `append` puts the arguments in. */
static int ask_with(struct host_client *client, struct host_call *call, const char *method, uint64_t usec,
		    int (*append)(sd_bus_message *message, const void *data), const void *data)
{
	sd_bus_message *message = NULL;
	int r;

	if (!call)
		return -ENOMEM;
	if (!client->agreed) {
		r = sd_event_add_defer(client->event, &call->defer, deferred, call);
	} else {
		r = sd_bus_message_new_method_call(client->bus, &message, NULL, HOST_API_PATH, HOST_API_INTERFACE,
						   method);
		if (r >= 0)
			r = append(message, data);
		if (r >= 0)
			r = sd_bus_call_async(client->bus, &call->slot, message, answered, call, usec);
		sd_bus_message_unref(message);
	}
	if (r < 0)
		host_call_free(call);
	return r < 0 ? r : 0;
}

struct arguments {
	const char *types;
	va_list *list;
};

static int append_arguments(sd_bus_message *message, const void *data)
{
	const struct arguments *arguments = data;
	va_list list;
	int r;

	va_copy(list, *arguments->list);
	r = sd_bus_message_appendv(message, arguments->types, list);
	va_end(list);
	return r;
}

static int ask(struct host_client *client, struct host_call *call, const char *method, uint64_t usec, const char *types,
	       ...)
{
	va_list list;
	int r;

	va_start(list, types);
	r = ask_with(client, call, method, usec, append_arguments, &(struct arguments){types, &list});
	va_end(list);
	return r;
}

static struct host_call *call_reading(struct host_client *client, host_done_fn done, void *userdata,
				      int (*read)(sd_bus_message *, struct json_object **, int *))
{
	struct host_call *call = call_new(client, done, userdata);

	if (call)
		call->read = read;
	return call;
}

#define IMPORT_FILES 5

struct import_file {
	const char *name;
	int fd;
};

static int add(struct json_object *object, const char *key, struct json_object *value)
{
	if (value && json_object_object_add(object, key, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

static struct json_object *file_names(const struct import_file *files)
{
	struct json_object *names = json_object_new_array();

	for (size_t i = 0; names && i < IMPORT_FILES; i++)
		if (files[i].fd >= 0)
			json_object_array_add(names, json_object_new_string(files[i].name));
	return names;
}

static int append_files(sd_bus_message *message, const struct import_file *files)
{
	int r = sd_bus_message_open_container(message, 'a', "h");

	for (size_t i = 0; r >= 0 && i < IMPORT_FILES; i++)
		if (files[i].fd >= 0)
			r = sd_bus_message_append(message, "h", files[i].fd);
	return r < 0 ? r : sd_bus_message_close_container(message);
}

static int append_import(sd_bus_message *message, const void *data)
{
	const struct host_image_import *import = data;
	const struct import_file files[IMPORT_FILES] = {
	    {"disk", import->disk},     {"kernel", import->kernel}, {"initrd", import->initrd},
	    {"recipe", import->recipe}, {"log", import->log},
	};
	struct json_object *json = json_object_new_object();
	int r = json ? 0 : -ENOMEM;

	if (r == 0)
		r = add(json, "append", json_object_new_string(import->append));
	if (r == 0)
		r = add(json, "recipe_name", json_object_new_string(import->recipe_name));
	if (r == 0)
		r = add(json, "publish", json_object_new_boolean(import->publish));
	if (r == 0)
		r = add(json, "files", file_names(files));
	if (r == 0)
		r = sd_bus_message_append(message, "ss", import->name,
					  json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
	json_object_put(json);
	return r < 0 ? r : append_files(message, files);
}

int host_client_image_import(struct host_client *client, const struct host_image_import *import, host_done_fn done,
			     void *userdata)
{
	return ask_with(client, call_reading(client, done, userdata, read_version), "ImageImport", UINT64_MAX,
			append_import, import);
}

int host_client_image_list(struct host_client *client, host_done_fn done, void *userdata)
{
	return ask(client, call_reading(client, done, userdata, read_text), "ImageList", ANSWER_USEC, "");
}

int host_client_image_delete(struct host_client *client, const char *name, uint32_t version, host_done_fn done,
			     void *userdata)
{
	return ask(client, call_new(client, done, userdata), "ImageDelete", UINT64_MAX, "su", name, version);
}

int host_client_image_publish(struct host_client *client, const char *name, uint32_t version, host_done_fn done,
			      void *userdata)
{
	return ask(client, call_reading(client, done, userdata, read_version), "ImagePublish", UINT64_MAX, "su", name,
		   version);
}

int host_client_image_verify(struct host_client *client, const char *name, uint32_t version, host_done_fn done,
			     void *userdata)
{
	return ask(client, call_reading(client, done, userdata, read_version), "ImageVerify", UINT64_MAX, "su", name,
		   version);
}

int host_client_image_rollback(struct host_client *client, const char *name, host_done_fn done, void *userdata)
{
	return ask(client, call_reading(client, done, userdata, read_version), "ImageRollback", UINT64_MAX, "s", name);
}

int host_client_image_open(struct host_client *client, const char *name, uint32_t version, const char *what,
			   host_done_fn done, void *userdata)
{
	return ask(client, call_reading(client, done, userdata, read_version_fd), "ImageOpen", ANSWER_USEC, "sus", name,
		   version, what);
}

int host_client_set_desired(struct host_client *client, uint64_t generation, struct json_object *desired,
			    host_done_fn done, void *userdata)
{
	const char *text = json_object_to_json_string_ext(desired, JSON_C_TO_STRING_PLAIN);

	if (!text)
		return -ENOMEM;
	return ask(client, call_new(client, done, userdata), "SetDesired", ANSWER_USEC, "ts", generation, text);
}

int host_client_list(struct host_client *client, host_done_fn done, void *userdata)
{
	return ask(client, call_reading(client, done, userdata, read_list), "List", ANSWER_USEC, "");
}

int host_client_open_display(struct host_client *client, const char *id, host_done_fn done, void *userdata)
{
	return ask(client, call_reading(client, done, userdata, read_fd), "OpenDisplay", ANSWER_USEC, "s", id);
}

int host_client_open_vdagent(struct host_client *client, const char *id, host_done_fn done, void *userdata)
{
	return ask(client, call_reading(client, done, userdata, read_fd), "OpenVdagent", ANSWER_USEC, "s", id);
}

int host_client_stop(struct host_client *client, const char *id, int force, host_done_fn done, void *userdata)
{
	return ask(client, call_new(client, done, userdata), "Stop", ANSWER_USEC, "sb", id, force);
}

int host_client_agent_call(struct host_client *client, const char *id, const char *request,
			   struct json_object *arguments, host_done_fn done, void *userdata)
{
	const char *text = arguments ? json_object_to_json_string_ext(arguments, JSON_C_TO_STRING_PLAIN) : "{}";

	if (!text)
		return -ENOMEM;
	return ask(client, call_new(client, done, userdata), "AgentCall", AGENT_USEC, "sss", id, request, text);
}

int host_client_show(struct host_client *client, host_done_fn done, void *userdata)
{
	return ask(client, call_reading(client, done, userdata, read_text), "Show", ANSWER_USEC, "");
}
