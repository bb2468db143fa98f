/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "auth/server.h"

#include "auth/attempt.h"
#include "common/bus.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct running {
	struct auth_server *server;
	sd_bus_message *call;
	sd_event_source *io, *child, *timer;
	pid_t pid;
	char name[ATTEMPT_NAME_MAX];
	struct running *next;
};

struct auth_server {
	sd_event *event;
	const struct conf *conf;
	uid_t broker_uid;
	struct bus_server *bus;
	struct running *running; /* their processes live, or their calls are unanswered */
	int64_t n_running;
};

static const char *result_text(enum auth_result result)
{
	switch (result) {
	case AUTH_OK:
		return "";
	case AUTH_DENIED:
		return "Login incorrect: check the user name and password, then try again.";
	case AUTH_EXPIRED:
		return "The account or its password has expired: change it or ask your administrator.";
	case AUTH_LOCKED:
		return "The account is locked: ask your administrator.";
	case AUTH_NOT_PERMITTED:
		return "System accounts may not log in to a desktop: use your own account.";
	case AUTH_BUSY:
		return "Too many logins at this moment: try again in a few seconds.";
	case AUTH_FAILED:
		break;
	}
	return "The login service is not working: ask your administrator, its log says why.";
}

static int reply_result(sd_bus_message *call, enum auth_result result)
{
	return sd_bus_reply_method_return(call, "ussuuass", (uint32_t)result, result_text(result), "", 0, 0, 0, "");
}

static int append_groups(sd_bus_message *reply, const struct attempt_result *result)
{
	int r = sd_bus_message_open_container(reply, 'a', "s");

	for (size_t at = 0; r >= 0 && at < result->groups_size; at += strlen(result->groups + at) + 1)
		r = sd_bus_message_append(reply, "s", result->groups + at);
	return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int reply_identity(sd_bus_message *call, const struct attempt_result *result)
{
	sd_bus_message *reply = NULL;
	int r = sd_bus_message_new_method_return(call, &reply);

	if (r >= 0)
		r = sd_bus_message_append(reply, "ussuu", (uint32_t)AUTH_OK, "", result->name, result->uid,
					  result->gid);
	if (r >= 0)
		r = append_groups(reply, result);
	if (r >= 0)
		r = sd_bus_message_append(reply, "s", result->full_name);
	if (r >= 0)
		r = sd_bus_send(NULL, reply, NULL);
	sd_bus_message_unref(reply);
	return r;
}

static void running_free(struct running *running)
{
	sd_event_source_disable_unref(running->io);
	sd_event_source_disable_unref(running->child);
	sd_event_source_disable_unref(running->timer);
	sd_bus_message_unref(running->call);
	free(running);
}

static void running_drop(struct running *running)
{
	struct auth_server *server = running->server;
	struct running **at = &server->running;

	while (*at != running)
		at = &(*at)->next;
	*at = running->next;
	server->n_running--;
	running_free(running);
}

static void running_answer(struct running *running, enum auth_result result)
{
	if (!running->call)
		return;
	reply_result(running->call, result);
	running->call = sd_bus_message_unref(running->call);
}

/* The attempt's process is ours but its modules are not: what it says is checked like a stranger's. */
static bool result_sane(const struct attempt_result *result)
{
	return result->result <= AUTH_FAILED && memchr(result->name, '\0', sizeof(result->name)) &&
	       memchr(result->full_name, '\0', sizeof(result->full_name)) &&
	       result->groups_size <= ATTEMPT_GROUPS_SIZE &&
	       (result->groups_size == 0 || result->groups[result->groups_size - 1] == '\0') &&
	       (result->result != AUTH_OK || attempt_name_valid(result->name));
}

static int running_said(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct running *running = userdata;
	static struct attempt_result result;
	int r = packet_recv(fd, &result, sizeof(result), NULL, 0, NULL);

	(void)events;
	if (r == -EAGAIN)
		return 0;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (r != 1 || !result_sane(&result)) {
		log_error("the attempt for %s ended without an answer", running->name);
		running_answer(running, AUTH_FAILED);
	} else if (result.result != AUTH_OK) {
		running_answer(running, result.result);
	} else {
		r = reply_identity(running->call, &result);
		if (r < 0)
			log_error("cannot answer the broker: %s", strerror(-r));
		running->call = sd_bus_message_unref(running->call);
	}
	explicit_bzero(&result, sizeof(result));
	return 0;
}

static int running_ended(sd_event_source *source, const siginfo_t *info, void *userdata)
{
	struct running *running = userdata;

	(void)source;
	if (info->si_code != CLD_EXITED)
		log_warning("the attempt for %s was ended by signal %d", running->name, info->si_status);
	/* What it said before its end may still be unread. */
	if (running->call)
		running_said(running->io, sd_event_source_get_io_fd(running->io), 0, running);
	running_answer(running, AUTH_FAILED);
	running_drop(running);
	return 0;
}

static int running_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct running *running = userdata;

	(void)source;
	(void)usec;
	if (!running->call)
		return 0;
	log_error("PAM did not answer for %s in time: see the modules of the service", running->name);
	sd_event_source_set_enabled(running->io, SD_EVENT_OFF);
	kill(running->pid, SIGKILL);
	running_answer(running, AUTH_FAILED);
	return 0;
}

static void __attribute__((noreturn)) attempt_exec(int socket_fd, int password_fd)
{
	static char program[] = "hotdesk-auth", option[] = "--attempt";
	char *const argv[] = {program, option, NULL};
	sigset_t none;
	int high_socket = fcntl(socket_fd, F_DUPFD_CLOEXEC, 10),
	    high_password = fcntl(password_fd, F_DUPFD_CLOEXEC, 10);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (high_socket >= 0 && high_password >= 0 && dup2(high_socket, ATTEMPT_SOCKET_FD) >= 0 &&
	    dup2(high_password, ATTEMPT_PASSWORD_FD) >= 0)
		execv("/proc/self/exe", argv);
	_exit(127);
}

static int fill_request(const struct auth_server *server, const char *name, const char *peer,
			struct attempt_request *request)
{
	int r = fs_path(request->name, sizeof(request->name), "%s", name);

	if (r == 0)
		r = fs_path(request->service, sizeof(request->service), "%s",
			    conf_string(server->conf, CONF_AUTH_SERVICE));
	if (r == 0)
		r = fs_path(request->directory, sizeof(request->directory), "%s",
			    conf_string(server->conf, CONF_AUTH_PAM_DIR));
	/* PAM_RHOST is the address alone; the port behind the space is for our log. */
	snprintf(request->peer, sizeof(request->peer), "%.*s", (int)strcspn(peer, " "), peer);
	request->min_uid = (uint32_t)conf_number(server->conf, CONF_AUTH_MIN_UID);
	request->allow_root = conf_bool(server->conf, CONF_AUTH_ALLOW_ROOT);
	return r;
}

/* Forks the attempt's process and sends it the request; *ret_fd is the caller's. */
static int attempt_start(const struct attempt_request *request, int password_fd, pid_t *ret_pid, int *ret_fd)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	int ends[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	ours = ends[0];
	theirs = ends[1];
	r = packet_send(ours, request, sizeof(*request), NULL, 0);
	if (r == 0)
		r = fd_set_nonblock(ours, 1);
	if (r < 0)
		return r;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		attempt_exec(theirs, password_fd);
	*ret_pid = pid;
	*ret_fd = steal_fd(&ours);
	return 0;
}

static int running_watch(struct running *running, int fd)
{
	struct auth_server *server = running->server;
	uint64_t usec = (uint64_t)conf_number(server->conf, CONF_AUTH_TIMEOUT) * 1000000;
	int r = sd_event_add_io(server->event, &running->io, fd, EPOLLIN, running_said, running);

	if (r < 0) {
		close(fd);
		return r;
	}
	sd_event_source_set_io_fd_own(running->io, 1);
	r = sd_event_add_child(server->event, &running->child, running->pid, WEXITED, running_ended, running);
	return r < 0 ? r
		     : sd_event_add_time_relative(server->event, &running->timer, CLOCK_MONOTONIC, usec, 0,
						  running_late, running);
}

static int running_new(struct auth_server *server, sd_bus_message *call, const char *name, const char *peer,
		       int password_fd)
{
	struct running *running = calloc(1, sizeof(*running));
	struct attempt_request request = {0};
	int fd = -1, r;

	if (!running)
		return -ENOMEM;
	running->server = server;
	r = fill_request(server, name, peer, &request);
	if (r == 0)
		r = attempt_start(&request, password_fd, &running->pid, &fd);
	if (r < 0) {
		free(running);
		return r;
	}
	memcpy(running->name, request.name, sizeof(running->name));
	r = running_watch(running, fd);
	if (r < 0) {
		kill(running->pid, SIGKILL);
		waitpid(running->pid, NULL, 0);
		running_free(running);
		return r;
	}
	running->call = sd_bus_message_ref(call);
	running->next = server->running;
	server->running = running;
	server->n_running++;
	return 0;
}

static int method_authenticate(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct auth_server *server = userdata;
	const char *name, *peer;
	int password_fd, r = sd_bus_message_read(call, "shs", &name, &password_fd, &peer);

	(void)ret_error;
	if (r < 0)
		return r;
	if (!attempt_name_valid(name))
		return reply_result(call, AUTH_DENIED);
	if (server->n_running >= conf_number(server->conf, CONF_AUTH_MAX_ATTEMPTS))
		return reply_result(call, AUTH_BUSY);
	r = running_new(server, call, name, peer, password_fd);
	if (r < 0) {
		log_error("cannot start an attempt: %s", strerror(-r));
		return reply_result(call, AUTH_FAILED);
	}
	return 1;
}

static int method_hello(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	(void)userdata;
	(void)ret_error;
	return bus_method_hello(call, AUTH_API_VERSION);
}

static const sd_bus_vtable auth_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Hello", "u", "u", method_hello, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Authenticate", "shs", "ussuuass", method_authenticate, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static int peer_connected(sd_bus *bus, uid_t uid, void *userdata)
{
	struct auth_server *server = userdata;

	if (uid != 0 && uid != server->broker_uid) {
		log_warning("uid %u is not the broker and is refused", uid);
		return -EPERM;
	}
	return sd_bus_add_object_vtable(bus, NULL, AUTH_API_PATH, AUTH_API_INTERFACE, auth_vtable, server);
}

static void peer_gone(sd_bus *bus, void *userdata)
{
	struct auth_server *server = userdata;

	for (struct running *running = server->running; running; running = running->next)
		if (running->call && sd_bus_message_get_bus(running->call) == bus)
			kill(running->pid, SIGKILL);
}

int auth_server_new(sd_event *event, const struct conf *conf, uid_t broker_uid, struct auth_server **ret,
		    struct error *err)
{
	static const struct bus_server_ops ops = {peer_connected, peer_gone};
	struct auth_server *server = calloc(1, sizeof(*server));
	char path[PATH_MAX];
	int fd, r;

	if (!server)
		return error_set(err, -ENOMEM, "out of memory");
	server->event = sd_event_ref(event);
	server->conf = conf;
	server->broker_uid = broker_uid;
	r = fs_path(path, sizeof(path), "%s/auth/auth.sock", conf_string(conf, CONF_RUNTIME_DIR));
	fd = r < 0 ? r : bus_listen(path, 0666);
	r = fd < 0 ? fd : bus_server_new(event, fd, &ops, server, &server->bus);
	if (r < 0) {
		auth_server_free(server);
		return error_set_errno(err, r, "cannot listen at %s", path);
	}
	*ret = server;
	return 0;
}

void auth_server_free(struct auth_server *server)
{
	if (!server)
		return;
	bus_server_free(server->bus);
	for (struct running *running = server->running, *next; running; running = next) {
		next = running->next;
		kill(running->pid, SIGKILL);
		running_free(running);
	}
	sd_event_unref(server->event);
	free(server);
}
