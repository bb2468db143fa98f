/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/admin.h"

#include "broker/admin_call.h"
#include "broker/admin_json.h"
#include "broker/broker_api.h"
#include "common/bus.h"
#include "common/fs.h"
#include "common/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdarg.h>
#include <string.h>

#define ADMIN_JSON_MAX 65536u /* of the arguments */
#define ADMIN_CALLS_MAX 64

struct admin_server {
	struct broker *broker;
	struct bus_server *bus;
	struct admin_call *calls;
	unsigned n_calls;
};

static const struct {
	const char *name;
	admin_handler start;
} handlers[] = {
    {"image import", admin_image_import},
    {"image list", admin_image_list},
    {"image show", admin_image_show},
    {"image publish", admin_image_publish},
    {"image rollback", admin_image_rollback},
    {"image verify", admin_image_verify},
    {"image prune", admin_image_prune},
    {"image recipe", admin_image_recipe},
    {"image log", admin_image_log},
    {"image delete", admin_image_delete},
    {"pool create", admin_pool_create},
    {"pool list", admin_pool_list},
    {"pool show", admin_pool_show},
    {"pool set", admin_pool_set},
    {"pool delete", admin_pool_delete},
    {"pool entitle", admin_pool_entitle},
    {"pool revoke", admin_pool_revoke},
    {"desktop list", admin_desktop_list},
    {"desktop show", admin_desktop_show},
    {"desktop stop", admin_desktop_stop},
    {"desktop delete", admin_desktop_delete},
    {"session list", admin_session_list},
    {"session kill", admin_session_kill},
    {"host show", admin_host_show},
    {"status", admin_status},
};

static admin_handler handler_find(const char *name)
{
	for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (strcmp(handlers[i].name, name) == 0)
			return handlers[i].start;
	return NULL;
}

static void call_free(struct admin_call *call)
{
	sd_bus_message_unref(call->message);
	json_object_put(call->arguments);
	json_object_put(call->work);
	for (size_t i = 0; i < call->n_fds; i++)
		close(call->fds[i]);
	free(call);
}

static void call_end(struct admin_call *call)
{
	struct admin_server *server = call->server;
	struct admin_call **at = &server->calls;

	while (*at && *at != call)
		at = &(*at)->next;
	if (*at) {
		*at = call->next;
		server->n_calls--;
	}
	call_free(call);
}

void admin_fail(struct admin_call *call, const struct error *err)
{
	(void)bus_reply_with_error(call->message, err);
	call_end(call);
}

void admin_reply_file(struct admin_call *call, struct json_object *json, int fd)
{
	const char *text = json ? json_object_to_json_string_ext(json, JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;

	if (text) {
		/* Whoever asked may be gone by now; what was done stays done. */
		(void)sd_bus_reply_method_return(call->message, "sah", text, fd >= 0, fd);
		call_end(call);
	} else {
		struct error err = {0};

		error_set(&err, -ENOMEM, "the broker is out of memory");
		admin_fail(call, &err);
	}
	json_object_put(json);
}

void admin_reply(struct admin_call *call, struct json_object *json)
{
	admin_reply_file(call, json, -1);
}

void admin_reply_text(struct admin_call *call, const char *format, ...)
{
	struct json_object *json = json_object_new_object();
	char text[ERROR_TEXT_MAX];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	if (json)
		json_add_text(json, "message", text);
	admin_reply(call, json);
}

int admin_store_error(struct admin_call *call, int r, struct error *err)
{
	if (r == -ENOSPC)
		return error_set(err, r,
				 "the store cannot be written: the disk is full; free some space and try again");
	return error_set(err, r, "the store did not take it (%s); the broker's log says more",
			 store_message(broker_store(call->broker)));
}

int admin_host_error(int r, struct error *err)
{
	if (r == -ENOTCONN)
		return error_set(
		    err, r,
		    "hotdesk-host does not run: start it by `systemctl start hotdesk-host`, or see why hotdesk-starter "
		    "cannot keep it running, and try again");
	return error_set_errno(err, r, "hotdesk-host could not be asked; the broker's log says more");
}

const char *admin_argument(const struct admin_call *call, const char *key)
{
	return admin_string(call->arguments, key);
}

void admin_note(struct admin_call *call, const char *pool, const char *desktop, const char *format, ...)
{
	char text[STORE_TEXT_SIZE];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	broker_event(call->broker, "admin", "", desktop, pool, "%s (uid %u)", text, (unsigned)call->uid);
}

/* A command that reads or copies this image. */
static bool works_on(const struct admin_call *call, const char *image)
{
	const char *name = admin_argument(call, "name");
	size_t length = strlen(image);

	return strcmp(call->command->noun, "image") == 0 && (call->command->flags & ADMIN_PROGRESS) && name &&
	       strncmp(name, image, length) == 0 && (name[length] == '\0' || name[length] == ':');
}

void admin_image_progress(struct admin_server *server, const char *image, uint32_t percent)
{
	for (struct admin_call *call = server->calls; call; call = call->next) {
		char command[64];

		if (!call->command || !works_on(call, image))
			continue;
		admin_command_name(call->command, command, sizeof(command));
		(void)sd_bus_emit_signal(sd_bus_message_get_bus(call->message), BROKER_API_PATH, BROKER_API_INTERFACE,
					 "Progress", "sus", command, percent, image);
	}
}

static int read_fds(sd_bus_message *message, struct admin_call *call)
{
	int r = sd_bus_message_enter_container(message, 'a', "h");

	while (r >= 0) {
		int fd;

		r = sd_bus_message_read_basic(message, 'h', &fd);
		if (r <= 0)
			break;
		if (call->n_fds == ADMIN_FILES_MAX)
			return -E2BIG;
		call->fds[call->n_fds] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (call->fds[call->n_fds] < 0)
			return -errno;
		call->n_fds++;
	}
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int read_arguments(const char *text, struct json_object **ret, struct error *err)
{
	enum json_tokener_error problem;

	if (strlen(text) > ADMIN_JSON_MAX)
		return error_set(err, -E2BIG, "the arguments are longer than %u bytes", ADMIN_JSON_MAX);
	*ret = json_tokener_parse_verbose(text, &problem);
	if (!*ret)
		return error_set(err, -EINVAL, "the arguments are no JSON object");
	return 0;
}

static uid_t peer_uid(sd_bus_message *message)
{
	uid_t uid = (uid_t)-1;

	(void)packet_peer(sd_bus_get_fd(sd_bus_message_get_bus(message)), &uid, NULL);
	return uid;
}

/* Reads and checks a Call message; NULL and err when it is refused. */
static admin_handler call_read(struct admin_call *call, struct error *err)
{
	admin_handler start;
	const char *name = NULL, *text = NULL;
	int r = sd_bus_message_read(call->message, "ss", &name, &text);

	if (r >= 0)
		r = read_fds(call->message, call);
	if (r < 0) {
		error_set_errno(err, r, "the command could not be read");
		return NULL;
	}
	call->command = admin_find_name(name);
	start = handler_find(name);
	if (!call->command || !start) {
		error_set(err, -EOPNOTSUPP, "the broker does not know `%.64s`: use a hotdesk of its version (%s)", name,
			  HOTDESK_VERSION);
		return NULL;
	}
	r = read_arguments(text, &call->arguments, err);
	if (r == 0)
		r = admin_check(call->command, call->arguments, call->n_fds, err);
	return r < 0 ? NULL : start;
}

static struct admin_call *call_new(struct admin_server *server, sd_bus_message *message)
{
	struct admin_call *call = server->n_calls < ADMIN_CALLS_MAX ? calloc(1, sizeof(*call)) : NULL;

	if (!call)
		return NULL;
	call->server = server;
	call->broker = server->broker;
	call->message = sd_bus_message_ref(message);
	call->uid = peer_uid(message);
	call->next = server->calls;
	server->calls = call;
	server->n_calls++;
	return call;
}

static int method_call(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct admin_server *server = userdata;
	struct admin_call *call = call_new(server, message);
	admin_handler start;
	struct error err = {0};

	(void)ret_error;
	if (!call) {
		error_set(&err, -EBUSY, "the broker has %u commands under way: try again in a moment", server->n_calls);
		return bus_reply_with_error(message, &err);
	}
	start = call_read(call, &err);
	if (!start || start(call, &err) < 0)
		admin_fail(call, &err);
	return 1;
}

static int method_hello(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	(void)userdata;
	(void)ret_error;
	return bus_method_hello(message, BROKER_API_VERSION);
}

static const sd_bus_vtable admin_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Hello", "u", "u", method_hello, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Call", "ssah", "sah", method_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("Progress", "sus", 0),
    SD_BUS_VTABLE_END,
};

/* A second lock: others do not reach the socket. */
static int peer_connected(sd_bus *bus, uid_t uid, void *userdata)
{
	if (uid != 0 && uid != geteuid())
		return -EPERM;
	return sd_bus_add_object_vtable(bus, NULL, BROKER_API_PATH, BROKER_API_INTERFACE, admin_vtable, userdata);
}

static const struct bus_server_ops server_ops = {.connected = peer_connected};

int admin_server_new(struct broker *broker, struct admin_server **ret)
{
	struct admin_server *server = calloc(1, sizeof(*server));
	char path[PATH_MAX];
	int r;

	if (!server)
		return -ENOMEM;
	server->broker = broker;
	r = fs_path(path, sizeof(path), "%s/broker/admin.sock", conf_string(broker_conf(broker), CONF_RUNTIME_DIR));
	if (r == 0)
		r = bus_listen(path, 0600);
	if (r >= 0)
		r = bus_server_new(broker_event_loop(broker), r, &server_ops, server, &server->bus);
	if (r < 0) {
		free(server);
		return r;
	}
	*ret = server;
	return 0;
}

void admin_server_free(struct admin_server *server)
{
	if (!server)
		return;
	while (server->calls) {
		struct admin_call *call = server->calls;

		server->calls = call->next;
		host_client_forget(broker_host(server->broker), call);
		broker_forget(server->broker, call);
		call_free(call);
	}
	bus_server_free(server->bus);
	free(server);
}
