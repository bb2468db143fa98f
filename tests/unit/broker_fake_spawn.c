/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hotdesk-spawn behind its client's functions; its displays and screens are servers in this process. */
#include "common/bus.h"
#include "display/screen/screen_api.h"
#include "display/viewer/viewer_api.h"
#include "tests/unit/broker_fakes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 8
#define QUEUE_MAX 64

struct process {
	struct fake_process shown;
	enum spawn_kind kind;
	struct bus_server *server;
	int life[2];   /* the read end is the pidfd: at end of file the process is dead */
	int stream_fd; /* or the socket of PulseAudio */
};

struct request {
	enum spawn_op op;
	enum spawn_kind kind;
	uint32_t slot;
	int signal;
	char tag[SPAWN_TAG_MAX];
	char arguments[1024];
	int fds[2];
	size_t n_fds;
	spawn_done_fn done;
	void *userdata;
};

struct spawn_client {
	sd_event_source *defer;
	struct request queue[QUEUE_MAX];
	size_t n;
};

static struct {
	sd_event *event;
	bool no_clipboards;
	unsigned vdagent_refusals, policy_refusals, start_refusals, sound_refusals;
	bool no_pulseaudio;
	struct process processes[SPAWN_KINDS][SLOTS];
} spawn;

static int method_hello(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	const struct process *process = userdata;

	(void)ret_error;
	return bus_method_hello(call, process->kind == SPAWN_SCREEN ? SCREEN_API_VERSION : VIEWER_API_VERSION);
}

static int set_source(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	((struct process *)userdata)->shown.source = true;
	return sd_bus_reply_method_return(call, "");
}

static int clear_source(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	((struct process *)userdata)->shown.source = false;
	return sd_bus_reply_method_return(call, "");
}

static int add_display(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	((struct process *)userdata)->shown.n_displays++;
	return sd_bus_reply_method_return(call, "");
}

static void take_text(struct process *process, const char *title, const char *detail)
{
	snprintf(process->shown.title, sizeof(process->shown.title), "%s", title);
	snprintf(process->shown.detail, sizeof(process->shown.detail), "%s", detail);
}

static int set_status(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct process *process = userdata;
	const char *title, *detail;
	int percent, failed;

	(void)ret_error;
	sd_bus_message_read(call, "ssib", &title, &detail, &percent, &failed);
	take_text(process, title, detail);
	process->shown.failed = failed;
	return sd_bus_reply_method_return(call, "");
}

static int close_viewer(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct process *process = userdata;
	const char *title, *detail;
	uint32_t linger;

	(void)ret_error;
	sd_bus_message_read(call, "ssu", &title, &detail, &linger);
	take_text(process, title, detail);
	process->shown.closed = true;
	return sd_bus_reply_method_return(call, "");
}

static int display_status(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	(void)ret_error;
	return sd_bus_reply_method_return(call, "buu", (int)((struct process *)userdata)->shown.source, 800, 600);
}

static int screen_status(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	const struct process *process = userdata;

	(void)ret_error;
	return sd_bus_reply_method_return(call, "buuu", (int)process->shown.source, 1024, 768,
					  process->shown.n_displays);
}

/* True: so it is to be refused. */
static bool refuses(unsigned *n)
{
	if (*n == 0)
		return false;
	--*n;
	return true;
}

static int set_vdagent(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct process *process = userdata;

	(void)ret_error;
	process->shown.n_vdagents++;
	if (refuses(&spawn.vdagent_refusals))
		return -ENOMEM;
	process->shown.vdagent = true;
	return sd_bus_reply_method_return(call, "");
}

static int set_clipboard(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct process *process = userdata;

	(void)ret_error;
	process->shown.n_policies++;
	if (refuses(&spawn.policy_refusals))
		return -ENOMEM;
	sd_bus_message_read(call, "uu", &process->shown.allowed, &process->shown.clipboard_max);
	return sd_bus_reply_method_return(call, "");
}

static void keep_sound(struct process *process, bool sound, int fd)
{
	process->shown.sound = sound;
	if (process->shown.sound_fd >= 0)
		close(process->shown.sound_fd);
	process->shown.sound_fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static int set_sound_of_display(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct process *process = userdata;
	int allowed, fd, r;

	(void)ret_error;
	process->shown.n_sounds++;
	sd_bus_message_read(call, "bh", &allowed, &fd);
	keep_sound(process, allowed, fd);
	r = sd_bus_reply_method_return(call, "");
	if (r >= 0 && allowed && process->shown.listens)
		r = sd_bus_emit_signal(sd_bus_message_get_bus(call), VIEWER_API_PATH, VIEWER_API_INTERFACE, "Sound",
				       "b", 1);
	return r;
}

static int set_sound_of_screen(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct process *process = userdata;
	int fd;

	(void)ret_error;
	process->shown.n_sounds++;
	if (refuses(&spawn.sound_refusals))
		return -ENOMEM;
	sd_bus_message_read(call, "h", &fd);
	keep_sound(process, true, fd);
	return sd_bus_reply_method_return(call, "");
}

static int clear_sound(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct process *process = userdata;

	(void)ret_error;
	process->shown.n_sounds++;
	keep_sound(process, false, -1);
	return sd_bus_reply_method_return(call, "");
}

static const sd_bus_vtable DISPLAY[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Hello", "u", "u", method_hello, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetSource", "h", "", set_source, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ClearSource", "", "", clear_source, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetStatus", "ssib", "", set_status, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Close", "ssu", "", close_viewer, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Status", "", "buu", display_status, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetSound", "bh", "", set_sound_of_display, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static const sd_bus_vtable SCREEN[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Hello", "u", "u", method_hello, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetSource", "h", "", set_source, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("AddDisplay", "h", "", add_display, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Status", "", "buuu", screen_status, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetSound", "h", "", set_sound_of_screen, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ClearSound", "", "", clear_sound, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

/* Beside SCREEN, on the same object. */
static const sd_bus_vtable CLIPBOARD[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("SetVdagent", "h", "", set_vdagent, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetClipboard", "uu", "", set_clipboard, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static int connected(sd_bus *bus, uid_t uid, void *userdata)
{
	const struct process *process = userdata;
	int r;

	(void)uid;
	if (process->kind == SPAWN_DISPLAY)
		return sd_bus_add_object_vtable(bus, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, DISPLAY, userdata);
	r = sd_bus_add_object_vtable(bus, NULL, SCREEN_API_PATH, SCREEN_API_INTERFACE, SCREEN, userdata);
	if (r >= 0 && !spawn.no_clipboards)
		r = sd_bus_add_object_vtable(bus, NULL, SCREEN_API_PATH, SCREEN_API_INTERFACE, CLIPBOARD, userdata);
	return r;
}

static const struct bus_server_ops OPS = {.connected = connected};

static void end(struct process *process)
{
	if (!process->shown.alive)
		return;
	process->shown.alive = false;
	bus_server_free(process->server);
	process->server = NULL;
	close(process->life[0]);
	close(process->life[1]);
	if (process->stream_fd >= 0)
		close(process->stream_fd);
	keep_sound(process, false, -1);
}

static int start(struct process *process, const struct request *request)
{
	int generation = process->shown.generation;

	if (process->shown.alive)
		return -EEXIST;
	if (request->kind == SPAWN_SOUND && refuses(&spawn.start_refusals)) {
		close(request->fds[0]);
		return -EAGAIN;
	}
	*process = (struct process){.kind = request->kind, .stream_fd = -1, .shown.sound_fd = -1};
	if (request->n_fds == 2 || request->kind == SPAWN_SOUND)
		process->stream_fd = request->fds[0];
	process->shown.alive = true;
	process->shown.generation = generation + 1;
	memcpy(process->shown.tag, request->tag, sizeof(process->shown.tag));
	memcpy(process->shown.arguments, request->arguments, sizeof(process->shown.arguments));
	if (pipe2(process->life, O_CLOEXEC) < 0)
		return -errno;
	if (request->kind == SPAWN_SOUND)
		return 0;
	return bus_server_new(spawn.event, request->fds[request->n_fds - 1], &OPS, process, &process->server);
}

static void serve(const struct request *request)
{
	struct process *process = &spawn.processes[request->kind][request->slot];
	struct spawn_reply reply = {.version = SPAWN_API_VERSION, .pid = 1};
	struct error err = {0};
	int pidfd = -1;

	switch (request->op) {
	case SPAWN_START:
		reply.result = start(process, request);
		break;
	case SPAWN_GET:
		reply.result = process->shown.alive ? 0 : -ESRCH;
		break;
	case SPAWN_SIGNAL:
		end(process);
		break;
	case SPAWN_STATUS:
		break;
	}
	if (reply.result >= 0 && (request->op == SPAWN_START || request->op == SPAWN_GET))
		pidfd = fcntl(process->life[0], F_DUPFD_CLOEXEC, 3);
	memcpy(reply.tag, process->shown.tag, sizeof(reply.tag));
	err.code = reply.result;
	if (request->done)
		request->done(reply.result, &reply, pidfd, &err, request->userdata);
	else if (pidfd >= 0)
		close(pidfd);
}

static int turn(sd_event_source *source, void *userdata)
{
	struct spawn_client *client = userdata;
	struct request request = client->queue[0];

	if (client->n <= 1)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (client->n == 0)
		return 0;
	memmove(client->queue, client->queue + 1, --client->n * sizeof(request));
	serve(&request);
	return 0;
}

int spawn_client_new(sd_event *event, const char *socket_path, struct spawn_client **ret)
{
	struct spawn_client *client = calloc(1, sizeof(*client));

	(void)socket_path;
	sd_event_add_defer(event, &client->defer, turn, client);
	*ret = client;
	return 0;
}

void spawn_client_free(struct spawn_client *client)
{
	if (!client)
		return;
	sd_event_source_disable_unref(client->defer);
	free(client);
}

static int queue(struct spawn_client *client, const struct request *request)
{
	client->queue[client->n++] = *request;
	return sd_event_source_set_enabled(client->defer, SD_EVENT_ON);
}

int spawn_client_start(struct spawn_client *client, enum spawn_kind kind, uint32_t slot, const char *tag,
		       const char *const *argv, const int *fds, size_t n_fds, int stderr_index, spawn_done_fn done,
		       void *userdata)
{
	struct request request = {
	    .op = SPAWN_START, .kind = kind, .slot = slot, .n_fds = n_fds, .done = done, .userdata = userdata};

	size_t used = 0;

	(void)stderr_index;
	for (size_t i = 0; argv[i] && used < sizeof(request.arguments); i++)
		used += (size_t)snprintf(request.arguments + used, sizeof(request.arguments) - used, " %s", argv[i]);
	snprintf(request.tag, sizeof(request.tag), "%s", tag);
	for (size_t i = 0; i < n_fds; i++)
		request.fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
	return queue(client, &request);
}

int spawn_client_get(struct spawn_client *client, enum spawn_kind kind, uint32_t slot, spawn_done_fn done,
		     void *userdata)
{
	return queue(
	    client, &(struct request){.op = SPAWN_GET, .kind = kind, .slot = slot, .done = done, .userdata = userdata});
}

int spawn_client_signal(struct spawn_client *client, enum spawn_kind kind, uint32_t slot, int signal,
			spawn_done_fn done, void *userdata)
{
	return queue(
	    client,
	    &(struct request){
		.op = SPAWN_SIGNAL, .kind = kind, .slot = slot, .signal = signal, .done = done, .userdata = userdata});
}

int spawn_client_status(struct spawn_client *client, spawn_done_fn done, void *userdata)
{
	return queue(client, &(struct request){.op = SPAWN_STATUS, .done = done, .userdata = userdata});
}

bool spawn_client_has_sound(void)
{
	return !spawn.no_pulseaudio;
}

void spawn_client_forget(struct spawn_client *client, void *userdata)
{
	for (size_t i = 0; i < client->n; i++)
		if (client->queue[i].userdata == userdata)
			client->queue[i].done = NULL;
}

void fakes_new(sd_event *event)
{
	memset(&spawn, 0, sizeof(spawn));
	fake_host_reset();
	spawn.event = event;
}

void fakes_free(void)
{
	for (int kind = 0; kind < SPAWN_KINDS; kind++)
		for (size_t slot = 0; slot < SLOTS; slot++)
			end(&spawn.processes[kind][slot]);
	fake_host_reset();
}

struct fake_process *fake_process(enum spawn_kind kind, uint32_t slot)
{
	return &spawn.processes[kind][slot].shown;
}

size_t fake_processes(enum spawn_kind kind)
{
	size_t n = 0;

	for (size_t slot = 0; slot < SLOTS; slot++)
		n += spawn.processes[kind][slot].shown.alive;
	return n;
}

void fake_screens_lack_clipboards(void)
{
	spawn.no_clipboards = true;
}

void fake_screen_refuses(unsigned n_vdagents, unsigned n_policies)
{
	spawn.vdagent_refusals = n_vdagents;
	spawn.policy_refusals = n_policies;
}

static void emit_lost(sd_bus *bus, void *userdata)
{
	(void)userdata;
	sd_bus_emit_signal(bus, SCREEN_API_PATH, SCREEN_API_INTERFACE, "VdagentLost", "");
}

void fake_screen_loses_vdagent(uint32_t slot)
{
	struct process *process = &spawn.processes[SPAWN_SCREEN][slot];

	process->shown.vdagent = false;
	bus_server_each(process->server, emit_lost, NULL);
}

static void emit_copied(sd_bus *bus, void *userdata)
{
	const uint32_t *copy = userdata;

	sd_bus_emit_signal(bus, SCREEN_API_PATH, SCREEN_API_INTERFACE, "Clipboard", "uu", copy[0], copy[1]);
}

void fake_screen_copied(uint32_t slot, uint32_t direction, uint32_t bytes)
{
	uint32_t copy[] = {direction, bytes};

	bus_server_each(spawn.processes[SPAWN_SCREEN][slot].server, emit_copied, copy);
}

static void emit_sound(sd_bus *bus, void *userdata)
{
	const bool *listens = userdata;

	sd_bus_emit_signal(bus, VIEWER_API_PATH, VIEWER_API_INTERFACE, "Sound", "b", (int)*listens);
}

void fake_display_listens(uint32_t slot, bool listens)
{
	struct process *process = &spawn.processes[SPAWN_DISPLAY][slot];

	process->shown.listens = listens;
	bus_server_each(process->server, emit_sound, &listens);
}

int fake_sound_socket(uint32_t slot)
{
	return spawn.processes[SPAWN_SOUND][slot].stream_fd;
}

void fake_sound_refuses(unsigned n_starts, unsigned n_screens)
{
	spawn.start_refusals = n_starts;
	spawn.sound_refusals = n_screens;
}

void fake_no_pulseaudio(void)
{
	spawn.no_pulseaudio = true;
}

void fake_kill(enum spawn_kind kind, uint32_t slot)
{
	end(&spawn.processes[kind][slot]);
}
