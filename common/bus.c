/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/bus.h"

#include "common/bus_intake.h"
#include "common/cleanup.h"
#include "common/packet.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>

#define BUS_BACKLOG 128
#define BUS_PEERS_MAX 256
#define BUS_HELLO_USEC (10 * UINT64_C(1000000))
#define BUS_FDS_ANY UINT_MAX /* read by sd-bus itself */
#define BUS_ERROR_PREFIX "org.hotdesk.Error."

struct bus_peer {
	struct bus_server *server;
	sd_bus *bus;
	sd_bus_slot *disconnect;
	struct bus_peer *next;
};

struct bus_server {
	sd_event *event;
	sd_event_source *accept;
	const struct bus_server_ops *ops;
	void *userdata;
	struct bus_peer *peers;
	unsigned n_peers;
};

int bus_listen(const char *path, mode_t mode)
{
	return socket_listen(path, SOCK_STREAM, BUS_BACKLOG, mode);
}

static void bus_peer_free(struct bus_peer *peer)
{
	sd_bus_slot_unref(peer->disconnect);
	sd_bus_close_unref(peer->bus);
	free(peer);
}

static int bus_peer_gone(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct bus_peer *peer = userdata;
	struct bus_server *server = peer->server;
	struct bus_peer **at = &server->peers;

	(void)message;
	(void)ret_error;
	while (*at && *at != peer)
		at = &(*at)->next;
	if (*at)
		*at = peer->next;
	server->n_peers--;
	if (server->ops->gone)
		server->ops->gone(peer->bus, server->userdata);
	/* sd-bus holds its own reference while it dispatches this message. */
	bus_peer_free(peer);
	return 0;
}

int bus_on_disconnect(sd_bus *bus, sd_bus_message_handler_t gone, void *userdata, sd_bus_slot **slot)
{
	return sd_bus_match_signal(bus, slot, NULL, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
				   "Disconnected", gone, userdata);
}

/* The slot floats: it lives as long as what it is of, and its userdata is destroyed with it. */
static void bus_own(sd_bus_slot *slot, sd_bus_destroy_t destroy)
{
	sd_bus_slot_set_destroy_callback(slot, destroy);
	sd_bus_slot_set_floating(slot, 1);
	sd_bus_slot_unref(slot);
}

static int intake_gone(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	(void)message;
	(void)ret_error;
	bus_intake_end(userdata);
	return 0;
}

static void intake_destroy(void *userdata)
{
	bus_intake_free(userdata);
}

/* What bus reads instead of fd. */
static int bus_add_intake(sd_event *event, sd_bus *bus, int fd, unsigned max_fds, int *ret_input)
{
	_cleanup_close_ int input = -1;
	struct bus_intake *intake;
	sd_bus_slot *slot;
	int r = bus_intake_new(event, fd, max_fds, &intake, &input);

	if (r < 0)
		return r;
	r = bus_on_disconnect(bus, intake_gone, intake, &slot);
	if (r < 0) {
		bus_intake_free(intake);
		return r;
	}
	bus_own(slot, intake_destroy);
	*ret_input = steal_fd(&input);
	return 0;
}

/* Takes fd over, also on failure. */
static int bus_new_on(sd_event *event, int fd, unsigned max_fds, sd_bus **ret)
{
	sd_bus *bus = NULL;
	int input = fd, r = sd_bus_new(&bus);

	if (r >= 0 && max_fds != BUS_FDS_ANY)
		r = bus_add_intake(event, bus, fd, max_fds, &input);
	if (r >= 0)
		r = sd_bus_set_fd(bus, input, fd);
	if (r < 0) {
		if (input != fd)
			close(input);
		close(fd);
		sd_bus_unref(bus);
		return r;
	}
	*ret = bus;
	return 0;
}

/* Takes fd over. */
static int bus_new_server_side(sd_event *event, int fd, unsigned max_fds, sd_bus **ret)
{
	sd_bus *bus;
	sd_id128_t id;
	int r = bus_new_on(event, fd, max_fds, &bus);

	if (r < 0)
		return r;
	if ((r = sd_id128_randomize(&id)) < 0 || (r = sd_bus_set_server(bus, 1, id)) < 0 ||
	    (r = sd_bus_set_anonymous(bus, 1)) < 0 || (r = sd_bus_negotiate_fds(bus, 1)) < 0) {
		sd_bus_close_unref(bus);
		return r;
	}
	*ret = bus;
	return 0;
}

static int bus_start_attached(sd_event *event, sd_bus *bus)
{
	int r = sd_bus_start(bus);

	return r < 0 ? r : sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
}

static int bus_peer_setup(struct bus_peer *peer, uid_t uid)
{
	struct bus_server *server = peer->server;
	int r = server->ops->connected(peer->bus, uid, server->userdata);

	if (r < 0)
		return r;
	r = bus_on_disconnect(peer->bus, bus_peer_gone, peer, &peer->disconnect);
	if (r >= 0)
		r = bus_start_attached(server->event, peer->bus);
	if (r < 0 && server->ops->gone)
		server->ops->gone(peer->bus, server->userdata);
	return r;
}

/* Takes fd over. */
static void bus_server_adopt(struct bus_server *server, int fd)
{
	struct bus_peer *peer = NULL;
	uid_t uid;

	if (server->n_peers >= BUS_PEERS_MAX || packet_peer(fd, &uid, NULL) < 0 || !(peer = calloc(1, sizeof(*peer)))) {
		close(fd);
		return;
	}
	peer->server = server;
	if (bus_new_server_side(server->event, fd, BUS_FDS_ANY, &peer->bus) < 0) {
		free(peer);
		return;
	}
	if (bus_peer_setup(peer, uid) < 0) {
		bus_peer_free(peer);
		return;
	}
	peer->next = server->peers;
	server->peers = peer;
	server->n_peers++;
}

static int bus_server_accept(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct bus_server *server = userdata;
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)events;
	if (peer >= 0)
		bus_server_adopt(server, peer);
	return 0;
}

int bus_server_new(sd_event *event, int listen_fd, const struct bus_server_ops *ops, void *userdata,
		   struct bus_server **ret)
{
	struct bus_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server) {
		close(listen_fd);
		return -ENOMEM;
	}
	r = sd_event_add_io(event, &server->accept, listen_fd, EPOLLIN, bus_server_accept, server);
	if (r < 0) {
		close(listen_fd);
		free(server);
		return r;
	}
	sd_event_source_set_io_fd_own(server->accept, 1);
	server->event = sd_event_ref(event);
	server->ops = ops;
	server->userdata = userdata;
	*ret = server;
	return 0;
}

void bus_server_free(struct bus_server *server)
{
	if (!server)
		return;
	sd_event_source_disable_unref(server->accept);
	while (server->peers) {
		struct bus_peer *peer = server->peers;

		server->peers = peer->next;
		if (server->ops->gone)
			server->ops->gone(peer->bus, server->userdata);
		bus_peer_free(peer);
	}
	sd_event_unref(server->event);
	free(server);
}

void bus_server_freep(struct bus_server **server)
{
	bus_server_free(*server);
}

void bus_server_each(struct bus_server *server, void (*fn)(sd_bus *bus, void *userdata), void *userdata)
{
	for (struct bus_peer *peer = server->peers, *next; peer; peer = next) {
		next = peer->next;
		fn(peer->bus, userdata);
	}
}

/* One at a time, so that a peer which says much takes no more than its turn. */
static int take_left(sd_event_source *source, void *userdata)
{
	sd_bus *bus = sd_bus_ref(userdata);

	if (sd_bus_is_open(bus) > 0 && sd_bus_process(bus, NULL) > 0)
		sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	sd_bus_unref(bus);
	return 0;
}

static int on_ready(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	(void)message;
	(void)ret_error;
	sd_event_source_set_enabled(userdata, SD_EVENT_ONESHOT);
	return 0;
}

static void left_destroy(void *userdata)
{
	sd_event_source_disable_unref(userdata);
}

/*
 * sd-bus (252) may read a server's first message together with the end of the authentication, and then waits for more
 * bytes before it looks at it: for ever, where the server waits for the answer, as QEMU does for its listener's
 * properties. So it is told to look when the connection stands.
 */
static int bus_take_left(sd_event *event, sd_bus *bus)
{
	sd_event_source *source;
	sd_bus_slot *slot;
	int r = sd_bus_set_connected_signal(bus, 1);

	if (r >= 0)
		r = sd_event_add_defer(event, &source, take_left, bus);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_bus_match_signal(bus, &slot, NULL, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
					"Connected", on_ready, source);
	if (r < 0) {
		sd_event_source_disable_unref(source);
		return r;
	}
	bus_own(slot, left_destroy);
	return 0;
}

static int client_new(sd_event *event, int fd, unsigned max_fds, sd_bus **ret)
{
	sd_bus *bus;
	int r = bus_new_on(event, fd, max_fds, &bus);

	if (r < 0)
		return r;
	r = sd_bus_negotiate_fds(bus, 1);
	if (r >= 0)
		r = bus_take_left(event, bus);
	if (r >= 0)
		r = bus_start_attached(event, bus);
	if (r < 0) {
		sd_bus_close_unref(bus);
		return r;
	}
	*ret = bus;
	return 0;
}

int bus_client_fd(sd_event *event, int fd, sd_bus **ret)
{
	return client_new(event, fd, BUS_FDS_ANY, ret);
}

int bus_connect_limited(sd_event *event, const char *path, unsigned max_fds, sd_bus **ret)
{
	int fd = socket_connect(path, SOCK_STREAM | SOCK_NONBLOCK);

	return fd < 0 ? fd : client_new(event, fd, max_fds, ret);
}

int bus_serve_fd_limited(sd_event *event, int fd, unsigned max_fds, int (*setup)(sd_bus *bus, void *userdata),
			 void *userdata, sd_bus **ret)
{
	sd_bus *bus = NULL;
	int r = bus_new_server_side(event, fd, max_fds, &bus);

	if (r < 0)
		return r;
	r = setup ? setup(bus, userdata) : 0;
	if (r >= 0)
		r = bus_start_attached(event, bus);
	if (r < 0) {
		sd_bus_close_unref(bus);
		return r;
	}
	*ret = bus;
	return 0;
}

int bus_connect(sd_event *event, const char *path, sd_bus **ret)
{
	return bus_connect_limited(event, path, BUS_FDS_ANY, ret);
}

int bus_serve_fd(sd_event *event, int fd, int (*setup)(sd_bus *bus, void *userdata), void *userdata, sd_bus **ret)
{
	return bus_serve_fd_limited(event, fd, BUS_FDS_ANY, setup, userdata, ret);
}

struct bus_hello {
	bus_hello_fn done;
	void *userdata;
	char *interface;
	uint32_t version;
};

static void bus_hello_free(void *userdata)
{
	struct bus_hello *hello = userdata;

	free(hello->interface);
	free(hello);
}

static int bus_hello_answered(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct bus_hello *hello = userdata;
	struct error err = {0};
	uint32_t version;
	int r = 0;

	(void)ret_error;
	if (sd_bus_message_is_method_error(reply, NULL))
		r = bus_reply_error(reply, &err);
	else if (sd_bus_message_read(reply, "u", &version) < 0)
		r = error_set(&err, -EPROTO, "%s answered Hello with something else", hello->interface);
	else if (version != hello->version)
		r = error_set(&err, -EPROTO,
			      "%s is version %u at the peer and %u here: restart both programs from one release",
			      hello->interface, version, hello->version);
	hello->done(r, &err, hello->userdata);
	return 0;
}

int bus_hello(sd_bus *bus, const char *path, const char *interface, uint32_t version, bus_hello_fn done, void *userdata)
{
	sd_bus_message *call = NULL;
	struct bus_hello *hello = calloc(1, sizeof(*hello));
	sd_bus_slot *slot = NULL;
	int r = -ENOMEM;

	if (!hello || !(hello->interface = strdup(interface)))
		goto out;
	hello->done = done;
	hello->userdata = userdata;
	hello->version = version;
	r = sd_bus_message_new_method_call(bus, &call, NULL, path, interface, "Hello");
	if (r >= 0)
		r = sd_bus_message_append(call, "u", version);
	if (r >= 0)
		r = sd_bus_call_async(bus, &slot, call, bus_hello_answered, hello, BUS_HELLO_USEC);
	if (r >= 0) {
		bus_own(slot, bus_hello_free);
		hello = NULL;
	}
out:
	sd_bus_message_unref(call);
	if (hello)
		bus_hello_free(hello);
	return r < 0 ? r : 0;
}

int bus_method_hello(sd_bus_message *call, uint32_t version)
{
	uint32_t theirs;
	int r = sd_bus_message_read(call, "u", &theirs);

	return r < 0 ? r : sd_bus_reply_method_return(call, "u", version);
}

int bus_reply_error(sd_bus_message *reply, struct error *err)
{
	const sd_bus_error *e = sd_bus_message_get_error(reply);
	size_t prefix = strlen(BUS_ERROR_PREFIX);
	int code = -sd_bus_message_get_errno(reply);

	if (e && e->name && strncmp(e->name, BUS_ERROR_PREFIX "E", prefix + 1) == 0) {
		char *end;
		long number = strtol(e->name + prefix + 1, &end, 10);

		if (*end == '\0' && number > 0 && number < 4096)
			code = -(int)number;
	}
	if (code == 0)
		code = -EIO;
	return error_set(err, code, "%s", e && e->message ? e->message : "the peer gave no reason");
}

int bus_reply_with_error(sd_bus_message *call, const struct error *err)
{
	char name[64];

	snprintf(name, sizeof(name), BUS_ERROR_PREFIX "E%d", err->code < 0 ? -err->code : EIO);
	return sd_bus_reply_method_errorf(call, name, "%s", err->text);
}
