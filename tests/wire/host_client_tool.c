/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A hotdesk-host's client for tests: host-client-tool SOCKET. Takes one command a line on stdin and prints one JSON
 * object a line: {"connected":bool}, {"changed":{...}}, and for each command {"done":N,"r":R,"text":"...","json":...},
 * N counting the commands from 1.
 *   import NAME DISK [KERNEL INITRD]   images   delete NAME VERSION   want GENERATION JSON   list   show
 *   stop ID 0|1   display ID (the answer's json is the display's vm name, as QEMU tells it)
 *   vdagent ID (the connection is kept)   hangup (closes the one that was kept first)
 */
#include "common/bus.h"
#include "common/cleanup.h"
#include "host/host_client.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define VDAGENTS_MAX 8

struct tool {
	sd_event *event;
	struct host_client *client;
	unsigned commands;
	int vdagents[VDAGENTS_MAX];
	size_t n_vdagents;
};

/* What done calls get: which command they answer. */
struct pending {
	struct tool *tool;
	unsigned number;
	sd_bus *display;
};

static void say(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	fflush(stdout);
	json_object_put(object);
}

static void connected(void *userdata)
{
	(void)userdata;
	puts("{\"connected\":true}");
	fflush(stdout);
}

static void disconnected(void *userdata)
{
	(void)userdata;
	puts("{\"connected\":false}");
	fflush(stdout);
}

static void changed(struct json_object *desktop, void *userdata)
{
	struct json_object *object = json_object_new_object();

	(void)userdata;
	json_object_object_add(object, "changed", json_object_get(desktop));
	say(object);
}

static void answer(struct pending *pending, int r, struct json_object *json, const char *text)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "done", json_object_new_int64(pending->number));
	json_object_object_add(object, "r", json_object_new_int(r));
	json_object_object_add(object, "text", json_object_new_string(text));
	json_object_object_add(object, "json", json_object_get(json));
	say(object);
	if (pending->display)
		sd_bus_close_unref(pending->display);
	free(pending);
}

static int vm_name(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct pending *pending = userdata;
	struct json_object *json = NULL;
	struct error err = {0};
	const char *name = "";
	int r = 0;

	(void)ret_error;
	if (sd_bus_message_is_method_error(reply, NULL))
		r = bus_reply_error(reply, &err);
	else if (sd_bus_message_read(reply, "v", "s", &name) >= 0)
		json = json_object_new_string(name);
	answer(pending, r, json, err.text);
	json_object_put(json);
	return 0;
}

static void ask_display(struct pending *pending, int fd)
{
	int r = bus_client_fd(pending->tool->event, fd, &pending->display);

	if (r >= 0)
		r = sd_bus_call_method_async(pending->display, NULL, NULL, "/org/qemu/Display1/VM",
					     "org.freedesktop.DBus.Properties", "Get", vm_name, pending, "ss",
					     "org.qemu.Display1.VM", "Name");
	if (r < 0)
		answer(pending, r, NULL, "the display cannot be asked");
}

static void done(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	if (fd >= 0)
		ask_display(userdata, fd);
	else
		answer(userdata, r, json, err->text);
}

static void vdagent_done(int r, struct json_object *json, int fd, const struct error *err, void *userdata)
{
	struct pending *pending = userdata;
	struct tool *tool = pending->tool;

	if (fd >= 0 && tool->n_vdagents < VDAGENTS_MAX)
		tool->vdagents[tool->n_vdagents++] = fd;
	else
		closep(&fd);
	answer(pending, r, json, err->text);
}

static int hang_up(struct pending *pending)
{
	struct tool *tool = pending->tool;

	if (tool->n_vdagents == 0)
		return -ENOTCONN;
	close(tool->vdagents[0]);
	memmove(tool->vdagents, tool->vdagents + 1, --tool->n_vdagents * sizeof(int));
	answer(pending, 0, NULL, "");
	return 0;
}

static int open_named(const char *path)
{
	return path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

static int import(struct host_client *client, char **save, struct pending *pending)
{
	const char *name = strtok_r(NULL, " ", save);
	_cleanup_close_ int disk = open_named(strtok_r(NULL, " ", save));
	_cleanup_close_ int kernel = open_named(strtok_r(NULL, " ", save));
	_cleanup_close_ int initrd = open_named(strtok_r(NULL, " ", save));

	const struct host_image_import import = {
	    .name = name,
	    .append = "",
	    .recipe_name = "",
	    .disk = disk,
	    .kernel = kernel,
	    .initrd = initrd,
	    .recipe = -1,
	    .log = -1,
	    .publish = true,
	};

	return name && disk >= 0 ? host_client_image_import(client, &import, done, pending) : -EINVAL;
}

static int want(struct host_client *client, char **save, struct pending *pending)
{
	const char *generation = strtok_r(NULL, " ", save), *text = strtok_r(NULL, "", save);
	struct json_object *json = text ? json_tokener_parse(text) : NULL;
	int r = json ? host_client_set_desired(client, strtoull(generation, NULL, 10), json, done, pending) : -EINVAL;

	json_object_put(json);
	return r;
}

static int run_command(struct host_client *client, char *line, struct pending *pending)
{
	char *save, *word = strtok_r(line, " ", &save), *first, *second;

	if (!word)
		return -EINVAL;
	if (strcmp(word, "import") == 0)
		return import(client, &save, pending);
	if (strcmp(word, "want") == 0)
		return want(client, &save, pending);
	if (strcmp(word, "images") == 0)
		return host_client_image_list(client, done, pending);
	if (strcmp(word, "list") == 0)
		return host_client_list(client, done, pending);
	if (strcmp(word, "show") == 0)
		return host_client_show(client, done, pending);
	if (strcmp(word, "hangup") == 0)
		return hang_up(pending);
	first = strtok_r(NULL, " ", &save);
	second = strtok_r(NULL, " ", &save);
	if (first && strcmp(word, "display") == 0)
		return host_client_open_display(client, first, done, pending);
	if (first && strcmp(word, "vdagent") == 0)
		return host_client_open_vdagent(client, first, vdagent_done, pending);
	if (second && strcmp(word, "delete") == 0)
		return host_client_image_delete(client, first, (uint32_t)strtoul(second, NULL, 10), done, pending);
	if (second && strcmp(word, "stop") == 0)
		return host_client_stop(client, first, second[0] == '1', done, pending);
	return -EINVAL;
}

static int line_there(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	static char line[1 << 20];
	static size_t used;
	struct tool *tool = userdata;
	ssize_t n = read(fd, line + used, sizeof(line) - 1 - used);
	char *end;

	(void)source;
	(void)events;
	if (n <= 0)
		return sd_event_exit(tool->event, 0);
	used += (size_t)n;
	line[used] = '\0';
	while ((end = strchr(line, '\n'))) {
		struct pending *pending = calloc(1, sizeof(*pending));
		int r;

		*end = '\0';
		pending->tool = tool;
		pending->number = ++tool->commands;
		r = run_command(tool->client, line, pending);
		if (r < 0)
			answer(pending, r, NULL, "not sent");
		used -= (size_t)(end + 1 - line);
		memmove(line, end + 1, used + 1);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct host_client_ops ops = {connected, disconnected, changed, NULL};
	struct tool tool = {0};
	int r = -EINVAL;

	if (argc == 2)
		r = sd_event_default(&tool.event);
	if (r >= 0)
		r = host_client_new(tool.event, argv[1], &ops, &tool, &tool.client);
	if (r >= 0)
		r = sd_event_add_io(tool.event, NULL, STDIN_FILENO, EPOLLIN, line_there, &tool);
	if (r >= 0)
		r = sd_event_loop(tool.event);
	host_client_free(tool.client);
	sd_event_unref(tool.event);
	return r < 0;
}
