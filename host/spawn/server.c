/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/spawn/server.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/packet.h"
#include "host/spawn/child.h"
#include "host/spawn/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define PEERS_MAX 16
#define WORDS_MAX 512

struct peer {
	struct spawn_server *server;
	sd_event_source *io;
	uid_t uid;
	struct peer *next;
};

struct spawn_server {
	sd_event *event;
	struct spawn_settings settings;
	char directory[PATH_MAX];
	char beside[PATH_MAX]; /* directory of our own binary */
	struct slots *slots;
	sd_event_source *accept, *sigchld;
	struct peer *peers;
	unsigned n_peers;
};

static bool peer_may(const struct spawn_server *server, uid_t uid, enum spawn_kind kind)
{
	return uid ==
	       (spawn_table[kind].peer == SPAWN_PEER_HOST ? server->settings.host_uid : server->settings.broker_uid);
}

/* Splits the NUL-separated words; 0 or a negative errno. argv has room for WORDS_MAX + 2. */
static int split_words(struct spawn_request *request, char **argv, size_t first)
{
	size_t n = first, at = 0;

	if (request->args_size > SPAWN_ARGS_MAX ||
	    (request->args_size > 0 && request->args[request->args_size - 1] != '\0'))
		return -EBADMSG;
	while (at < request->args_size) {
		if (n - first >= WORDS_MAX)
			return -E2BIG;
		argv[n++] = request->args + at;
		at += strlen(request->args + at) + 1;
	}
	argv[n] = NULL;
	return 0;
}

static int binary_path(const struct spawn_server *server, const struct spawn_entry *entry, char path[PATH_MAX])
{
	return entry->path[0] == '/' ? fs_path(path, PATH_MAX, "%s", entry->path)
				     : fs_path(path, PATH_MAX, "%s/%s", server->beside, entry->path);
}

static uid_t child_uid(const struct spawn_settings *settings, const struct spawn_entry *entry, uint32_t slot)
{
	return settings->vm_uid_first + (entry->upper_uids ? settings->vm_uid_count / 2 : 0) + slot;
}

static void reply_error(struct spawn_reply *reply, int r, const char *text)
{
	reply->result = r;
	snprintf(reply->text, sizeof(reply->text), "%.255s", text);
}

/* The record is written between the two steps: a spawn killed at any moment knows the process, or there is none. */
static struct slot *launch(struct spawn_server *server, const struct spawn_request *request,
			   const struct child_plan *plan, struct error *err)
{
	struct slot *slot = NULL;
	struct child child;
	int r = child_fork(plan, &child, err);

	if (r < 0)
		return NULL;
	r = slots_add(server->slots, request->kind, request->slot, child.pid, child.pidfd, request->tag, &slot);
	child.pidfd = -1;
	if (r < 0) {
		child_abort(&child);
		error_set_errno(err, r, "its record could not be written");
		return NULL;
	}
	r = child_go(&child, plan, err);
	if (r < 0) {
		slots_reaped(server->slots, child.pid);
		return NULL;
	}
	return slot;
}

static struct slot *run_child(struct spawn_server *server, struct spawn_request *request, const int *fds,
			      struct spawn_reply *reply)
{
	const struct spawn_entry *entry = &spawn_table[request->kind];
	char *argv[WORDS_MAX + 2], path[PATH_MAX], *slash;
	struct slot *slot;
	struct error err = {0};
	struct child_plan plan = {
	    .entry = entry,
	    .path = path,
	    .argv = argv,
	    .fds = fds,
	    .n_fds = request->n_fds,
	    .stderr_index = request->stderr_index,
	    .change_uid = (server->settings.flags & SPAWN_FLAG_ROOT) != 0,
	    .uid = child_uid(&server->settings, entry, request->slot),
	    .kvm_group = server->settings.kvm_group,
	    .namespaces = server->settings.namespaces,
	};
	int r;

	r = binary_path(server, entry, path);
	if (r == 0)
		r = split_words(request, argv, 1);
	if (r < 0) {
		reply_error(reply, r, "the request's arguments are malformed");
		return NULL;
	}
	slash = strrchr(path, '/');
	argv[0] = slash + 1;
	slot = launch(server, request, &plan, &err);
	if (!slot)
		reply_error(reply, err.code, err.text);
	return slot;
}

/* Fills the reply; returns the pidfd that goes with it (the caller's) or -1. */
static int reply_slot(const struct spawn_server *server, const struct slot *slot, struct spawn_reply *reply)
{
	int pidfd = fcntl(slot->pidfd, F_DUPFD_CLOEXEC, 3);

	if (pidfd < 0) {
		reply_error(reply, -errno, "its pidfd could not be duplicated");
		return -1;
	}
	reply->pid = slot->pid;
	reply->uid = (server->settings.flags & SPAWN_FLAG_ROOT)
			 ? child_uid(&server->settings, &spawn_table[slot->kind], slot->number)
			 : getuid();
	memcpy(reply->tag, slot->tag, sizeof(reply->tag));
	return pidfd;
}

static int handle_start(struct spawn_server *server, struct spawn_request *request, const int *fds,
			struct spawn_reply *reply)
{
	struct slot *slot;

	if (slots_find(server->slots, request->kind, request->slot)) {
		reply_error(reply, -EEXIST, "the slot's process still runs");
		return -1;
	}
	slot = run_child(server, request, fds, reply);
	if (!slot)
		return -1;
	log_debug("started %s slot %u: pid %d", spawn_table[request->kind].name, request->slot, (int)slot->pid);
	return reply_slot(server, slot, reply);
}

static int handle_get(struct spawn_server *server, struct spawn_request *request, struct spawn_reply *reply)
{
	struct slot *slot = slots_find(server->slots, request->kind, request->slot);

	if (!slot) {
		reply_error(reply, -ESRCH, "nothing runs in this slot");
		return -1;
	}
	return reply_slot(server, slot, reply);
}

static void handle_signal(struct spawn_server *server, struct spawn_request *request, struct spawn_reply *reply)
{
	struct slot *slot = slots_find(server->slots, request->kind, request->slot);

	if (request->signal != SIGTERM && request->signal != SIGKILL)
		reply_error(reply, -EINVAL, "only SIGTERM and SIGKILL are sent");
	else if (!slot)
		reply_error(reply, -ESRCH, "nothing runs in this slot");
	else if (pidfd_send_signal(slot->pidfd, request->signal, NULL, 0) < 0)
		reply_error(reply, -errno, "the process could not be signalled");
}

static const char *request_fault(const struct spawn_server *server, uid_t uid, const struct spawn_request *request,
				 size_t n_fds)
{
	const struct spawn_settings *settings = &server->settings;

	if (request->version != SPAWN_API_VERSION)
		return "another version of the programs: restart all from one release";
	if (request->op == SPAWN_STATUS)
		return NULL;
	if (request->kind >= SPAWN_KINDS || !peer_may(server, uid, request->kind))
		return "this peer may not ask for this kind of program";
	if (request->slot >= SPAWN_SLOTS_MAX || request->slot >= settings->vm_uid_count / 2)
		return "the slot is out of range: raise vm-uid-count in [run-as]";
	if (request->op == SPAWN_START &&
	    (request->n_fds != n_fds || request->stderr_index < -1 || request->stderr_index >= (int32_t)n_fds ||
	     memchr(request->tag, '\0', sizeof(request->tag)) == NULL))
		return "the request is malformed";
	return NULL;
}

/* Returns the pidfd that goes with the reply, or -1. */
static int handle_request(struct spawn_server *server, uid_t uid, struct spawn_request *request, const int *fds,
			  size_t n_fds, struct spawn_reply *reply)
{
	const char *fault = request_fault(server, uid, request, n_fds);

	reply->flags = server->settings.flags;
	if (fault) {
		reply_error(reply, -EPERM, fault);
		return -1;
	}
	switch (request->op) {
	case SPAWN_START:
		return handle_start(server, request, fds, reply);
	case SPAWN_GET:
		return handle_get(server, request, reply);
	case SPAWN_SIGNAL:
		handle_signal(server, request, reply);
		return -1;
	case SPAWN_STATUS:
		memcpy(reply->text, server->settings.no_nat, sizeof(reply->text));
		return -1;
	default:
		reply_error(reply, -EINVAL, "unknown request");
		return -1;
	}
}

static void peer_free(struct peer *peer)
{
	sd_event_source_disable_unref(peer->io);
	free(peer);
}

static void peer_drop(struct peer *peer)
{
	struct spawn_server *server = peer->server;
	struct peer **at = &server->peers;

	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	server->n_peers--;
	peer_free(peer);
}

static int peer_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct peer *peer = userdata;
	struct spawn_request request;
	struct spawn_reply reply = {.version = SPAWN_API_VERSION};
	int fds[SPAWN_FDS_MAX];
	_cleanup_close_ int pidfd = -1;
	size_t n_fds = 0;
	int r = packet_recv(fd, &request, sizeof(request), fds, SPAWN_FDS_MAX, &n_fds);

	(void)source;
	(void)events;
	if (r == -EAGAIN)
		return 0;
	if (r <= 0) {
		if (r < 0)
			log_warning("a peer of uid %u sent something else than a request and is dropped", peer->uid);
		peer_drop(peer);
		return 0;
	}
	pidfd = handle_request(peer->server, peer->uid, &request, fds, n_fds, &reply);
	for (size_t i = 0; i < n_fds; i++)
		close(fds[i]);
	/* A peer that asks without reading its replies is not waited for. */
	if (packet_send(fd, &reply, sizeof(reply), &pidfd, pidfd >= 0) < 0)
		peer_drop(peer);
	return 0;
}

static void server_adopt(struct spawn_server *server, int fd)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	uid_t uid;

	if (!peer || server->n_peers >= PEERS_MAX || packet_peer(fd, &uid, NULL) < 0 ||
	    (uid != server->settings.host_uid && uid != server->settings.broker_uid) ||
	    sd_event_add_io(server->event, &peer->io, fd, EPOLLIN, peer_readable, peer) < 0) {
		log_warning("a connection was refused");
		close(fd);
		free(peer);
		return;
	}
	sd_event_source_set_io_fd_own(peer->io, 1);
	peer->server = server;
	peer->uid = uid;
	peer->next = server->peers;
	server->peers = peer;
	server->n_peers++;
}

static int server_accept(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)events;
	if (peer >= 0)
		server_adopt(userdata, peer);
	return 0;
}

static int server_sigchld(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct spawn_server *server = userdata;
	pid_t pid;

	(void)source;
	(void)info;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		slots_reaped(server->slots, pid);
	return 0;
}

static int server_find_binaries(struct spawn_server *server)
{
	ssize_t length = readlink("/proc/self/exe", server->beside, sizeof(server->beside) - 1);

	if (length < 0)
		return -errno;
	server->beside[length] = '\0';
	*strrchr(server->beside, '/') = '\0';
	return 0;
}

static int server_listen(struct spawn_server *server, struct error *err)
{
	char path[PATH_MAX];
	int fd, r = fs_path(path, sizeof(path), "%s/spawn.sock", server->directory);

	fd = r < 0 ? r : packet_listen(path, 0666);
	if (fd < 0)
		return error_set_errno(err, fd, "cannot listen at %s", path);
	r = sd_event_add_io(server->event, &server->accept, fd, EPOLLIN, server_accept, server);
	if (r < 0) {
		close(fd);
		return error_set_errno(err, r, "cannot watch %s", path);
	}
	sd_event_source_set_io_fd_own(server->accept, 1);
	return 0;
}

int spawn_server_new(sd_event *event, const struct spawn_settings *settings, struct spawn_server **ret,
		     struct error *err)
{
	struct spawn_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return error_set(err, -ENOMEM, "out of memory");
	server->event = sd_event_ref(event);
	server->settings = *settings;
	r = fs_path(server->directory, sizeof(server->directory), "%s/spawn", settings->runtime_dir);
	if (r == 0)
		r = server_find_binaries(server);
	if (r == 0)
		r = slots_load(server->directory, &server->slots);
	if (r < 0)
		error_set_errno(err, r, "cannot read the records in %s", server->directory);
	else
		r = sd_event_add_signal(event, &server->sigchld, SIGCHLD, server_sigchld, server);
	if (r >= 0)
		r = server_listen(server, err);
	if (r < 0) {
		spawn_server_free(server);
		return r;
	}
	*ret = server;
	return 0;
}

void spawn_server_free(struct spawn_server *server)
{
	if (!server)
		return;
	sd_event_source_disable_unref(server->accept);
	sd_event_source_disable_unref(server->sigchld);
	while (server->peers) {
		struct peer *peer = server->peers;

		server->peers = peer->next;
		peer_free(peer);
	}
	slots_free(server->slots);
	sd_event_unref(server->event);
	free(server);
}
