/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/request.h"

#include "broker/broker_api.h"
#include "broker/cli/progress.h"
#include "broker/cli/signals.h"
#include "common/bus.h"
#include "common/cleanup.h"
#include "common/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/stat.h>

struct request {
	const struct admin_command *command;
	struct json_object *arguments;
	int fds[ADMIN_FILES_MAX];
	size_t n_fds;
	sd_event *event;
	sd_bus *bus;
	char *reply;
	int file; /* that came with it, or -1 */
	int result;
	struct error err;
};

static void request_clear(struct request *request)
{
	for (size_t i = 0; i < request->n_fds; i++)
		close(request->fds[i]);
	sd_bus_close_unref(request->bus);
	sd_event_unref(request->event);
	free(request->reply);
	closep(&request->file);
}

static int open_file(struct request *request, const struct admin_argument *argument, struct error *err)
{
	const char *path = admin_string(request->arguments, argument->key);
	struct stat info;
	char index[8];
	int fd;

	if (!path || argument->kind != ADMIN_FILE)
		return 0;
	/* A FIFO without a writer must not hang here; the broker takes regular files alone. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return error_set(err, -errno, "cannot open %s: %s; give the path of a file that you may read", path,
				 strerror(errno));
	request->fds[request->n_fds] = fd;
	snprintf(index, sizeof(index), "%zu", request->n_fds++);
	if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
		return error_set(err, -EINVAL, "%s is not a regular file: give the path of a file", path);
	return json_object_object_add(request->arguments, argument->key, json_object_new_string(index)) < 0
		   ? error_set(err, -ENOMEM, "out of memory")
		   : 0;
}

static int open_files(struct request *request, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && request->command->arguments[i].kind != ADMIN_END; i++)
		r = open_file(request, &request->command->arguments[i], err);
	for (size_t i = 0; r == 0 && request->command->options[i].kind != ADMIN_END; i++)
		r = open_file(request, &request->command->options[i], err);
	return r;
}

static void finish(struct request *request, int result)
{
	request->result = result;
	(void)sd_event_exit(request->event, 0);
}

static int broker_ended(struct error *err)
{
	return error_set(
	    err, -ECONNRESET,
	    "hotdesk-broker ended before it answered: see its log, then look by `hotdesk status` whether the "
	    "command was done");
}

/* The reply's text, and the first of its files. */
static int read_reply(struct request *request, sd_bus_message *reply)
{
	const char *text = NULL;
	int fd, r = sd_bus_message_read(reply, "s", &text);

	if (r >= 0)
		r = sd_bus_message_enter_container(reply, 'a', "h");
	if (r >= 0)
		r = sd_bus_message_read_basic(reply, 'h', &fd);
	if (r < 0)
		return r;
	if (r > 0 && (request->file = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
		return -errno;
	request->reply = strdup(text);
	return request->reply ? 0 : -ENOMEM;
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct request *request = userdata;
	int r = 0;

	(void)ret_error;
	/* sd-bus answers what is under way for a peer that has gone. */
	if (sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NO_REPLY))
		r = broker_ended(&request->err);
	else if (sd_bus_message_is_method_error(reply, NULL))
		r = bus_reply_error(reply, &request->err);
	else if (read_reply(request, reply) < 0)
		r = error_set(&request->err, -EBADMSG,
			      "the broker's reply could not be read: use a hotdesk of its version");
	finish(request, r);
	return 0;
}

static int on_progress(sd_bus_message *signal, void *userdata, sd_bus_error *ret_error)
{
	const char *command = NULL, *text = NULL;
	uint32_t percent = 0;

	(void)userdata;
	(void)ret_error;
	if (sd_bus_message_read(signal, "sus", &command, &percent, &text) >= 0)
		progress_show(percent, text);
	return 0;
}

static int on_gone(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct request *request = userdata;

	(void)message;
	(void)ret_error;
	finish(request, broker_ended(&request->err));
	return 0;
}

static int append_fds(sd_bus_message *call, const struct request *request)
{
	int r = sd_bus_message_open_container(call, 'a', "h");

	for (size_t i = 0; r >= 0 && i < request->n_fds; i++)
		r = sd_bus_message_append(call, "h", request->fds[i]);
	return r < 0 ? r : sd_bus_message_close_container(call);
}

static void unrefp(sd_bus_message **message)
{
	sd_bus_message_unref(*message);
}

static int send_call(struct request *request)
{
	_cleanup_(unrefp) sd_bus_message *call = NULL;
	char name[64];
	int r =
	    sd_bus_message_new_method_call(request->bus, &call, NULL, BROKER_API_PATH, BROKER_API_INTERFACE, "Call");

	admin_command_name(request->command, name, sizeof(name));
	if (r >= 0)
		r = sd_bus_message_append(call, "ss", name, json_object_to_json_string(request->arguments));
	if (r >= 0)
		r = append_fds(call, request);
	/* An import takes as long as the file is big; a broker that dies is seen by its socket. */
	return r < 0 ? r : sd_bus_call_async(request->bus, NULL, call, on_reply, request, UINT64_MAX);
}

static void on_hello(int r, const struct error *err, void *userdata)
{
	struct request *request = userdata;

	if (r == -ETIMEDOUT) {
		finish(request, broker_ended(&request->err));
		return;
	}
	if (r < 0) {
		request->err = *err;
		finish(request, r);
		return;
	}
	r = send_call(request);
	if (r < 0)
		finish(request, error_set_errno(&request->err, r, "the command could not be sent to hotdesk-broker"));
}

static int explain_connect(int r, const char *path, struct error *err)
{
	if (r == -ENOENT || r == -ECONNREFUSED)
		return error_set(
		    err, r,
		    "hotdesk-broker does not run (nobody serves %s): start it by `systemctl start hotdesk-broker`, or "
		    "hotdesk-starter where there is no systemd; if it runs with another configuration, name that by "
		    "--config",
		    path);
	if (r == -EACCES || r == -EPERM)
		return error_set(
		    err, r,
		    "not permitted: run it as root (sudo hotdesk ...) or as the user of hotdesk-broker, who owns %s",
		    path);
	return error_set_errno(err, r, "cannot connect to hotdesk-broker at %s: see its log", path);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct request *request = userdata;

	(void)source;
	(void)info;
	finish(request, error_set(&request->err, -EINTR,
				  "stopped: what the broker has begun it may finish; look by `hotdesk status`"));
	return 0;
}

static int watch_signals(struct request *request)
{
	int r = 0;

	signals_block(NULL);
	for (size_t i = 0; r >= 0 && i < SIGNALS_ENDING; i++)
		r = sd_event_add_signal(request->event, NULL, signals_ending[i], on_signal, request);
	return r;
}

static int connect_broker(struct request *request, const char *path, struct error *err)
{
	int r = sd_event_new(&request->event);

	if (r >= 0)
		r = watch_signals(request);
	if (r < 0)
		return error_set_errno(err, r, "cannot make an event loop");
	r = bus_connect(request->event, path, &request->bus);
	if (r < 0)
		return explain_connect(r, path, err);
	/* At the loop's exit sd-bus would wait up to 90 s for a broker that does not read. */
	r = sd_bus_set_close_on_exit(request->bus, 0);
	if (r >= 0)
		r = bus_on_disconnect(request->bus, on_gone, request, NULL);
	if (r >= 0)
		r = sd_bus_match_signal(request->bus, NULL, NULL, BROKER_API_PATH, BROKER_API_INTERFACE, "Progress",
					on_progress, request);
	if (r >= 0)
		r = bus_hello(request->bus, BROKER_API_PATH, BROKER_API_INTERFACE, BROKER_API_VERSION, on_hello,
			      request);
	return r < 0 ? error_set_errno(err, r, "cannot speak to hotdesk-broker") : 0;
}

static int exchange(const struct conf *conf, const struct admin_command *command, struct json_object *arguments,
		    char **ret, int *ret_fd, struct error *err)
{
	_cleanup_(request_clear) struct request request = {
	    .command = command, .arguments = arguments, .file = -1, .result = -EIO};
	char path[PATH_MAX];
	int r = fs_path(path, sizeof(path), "%s/broker/admin.sock", conf_string(conf, CONF_RUNTIME_DIR));

	if (r < 0)
		return error_set(err, r, "runtime-dir of the configuration is too long: name a shorter one");
	r = open_files(&request, err);
	if (r == 0)
		r = connect_broker(&request, path, err);
	if (r < 0)
		return r;
	r = sd_event_loop(request.event);
	progress_end();
	if (r < 0)
		return error_set_errno(err, r, "the event loop failed");
	if (request.result < 0)
		return error_set(err, request.result, "%s", request.err.text);
	*ret = steal_ptr(request.reply);
	*ret_fd = steal_fd(&request.file);
	return 0;
}

int request_run(const struct conf *conf, const struct admin_command *command, struct json_object *arguments, char **ret,
		struct error *err)
{
	_cleanup_close_ int fd = -1;

	return exchange(conf, command, arguments, ret, &fd, err);
}

int request_open(const struct conf *conf, const struct admin_command *command, struct json_object *arguments,
		 char **ret, int *ret_fd, struct error *err)
{
	_cleanup_free_ char *reply = NULL;
	_cleanup_close_ int fd = -1;
	int r = exchange(conf, command, arguments, &reply, &fd, err);

	if (r == 0 && fd < 0)
		r = error_set(err, -EBADMSG, "no text came with the broker's reply: use a hotdesk of its version");
	if (r < 0)
		return r;
	*ret = steal_ptr(reply);
	*ret_fd = steal_fd(&fd);
	return 0;
}
