/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * D-Bus peer to peer by sd-bus on Unix stream sockets (no bus daemon: no names, destination NULL).
 * Each hotdesk interface has the method Hello(u version) -> (u version); bus_method_hello serves it, bus_hello asks it.
 */
#ifndef COMMON_BUS_H
#define COMMON_BUS_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

struct bus_server;

struct bus_server_ops {
	/*
	 * A peer connected; uid is SO_PEERCRED's. Add object vtables to `bus` (not started yet) and return 0; negative
	 * refuses. The server owns `bus` and drops it after `gone`; closing it is not for others (sd_bus_close tells
	 * nobody).
	 */
	int (*connected)(sd_bus *bus, uid_t uid, void *userdata);
	/* The connection ended (may be NULL). */
	void (*gone)(sd_bus *bus, void *userdata);
};

/* A listening stream socket at `path`, non-blocking; an old one is replaced by rename. Returns fd or -errno. */
int bus_listen(const char *path, mode_t mode);

/* Serves a listening fd (taken over, closed by bus_server_free) on the event loop. */
int bus_server_new(sd_event *event, int listen_fd, const struct bus_server_ops *ops, void *userdata,
		   struct bus_server **ret);
void bus_server_free(struct bus_server *server);
void bus_server_freep(struct bus_server **server);

/* Calls fn for each live connection (to emit a signal on all of them). */
void bus_server_each(struct bus_server *server, void (*fn)(sd_bus *bus, void *userdata), void *userdata);

/*
 * Connects to a listening path / adopts one end of a stream socketpair (fd taken over, also on failure), attached to
 * `event` and started. bus_serve_fd is the other side: D-Bus auth server, any uid accepted (whoever holds a
 * socketpair's end may use it); `setup` adds the vtables before the start (may be NULL).
 *
 * Messages queue until the peer has answered, except one with fds: sd-bus waits in it, up to 90 s, until it knows
 * whether the peer takes fds. So send none before bus_hello's `done`.
 */
int bus_connect(sd_event *event, const char *path, sd_bus **ret);
int bus_client_fd(sd_event *event, int fd, sd_bus **ret);
int bus_serve_fd(sd_event *event, int fd, int (*setup)(sd_bus *bus, void *userdata), void *userdata, sd_bus **ret);

/*
 * The same where the peer is trusted less than we are: it may send max_fds fds (0 to 24) in the life of the connection,
 * and one more ends that. Without a limit a message that never ends brings fds until we have none left. Such a `bus` is
 * read and ended by the event loop only (no sd_bus_call), and sd_bus_get_fd fails on it.
 */
int bus_connect_limited(sd_event *event, const char *path, unsigned max_fds, sd_bus **ret);
int bus_serve_fd_limited(sd_event *event, int fd, unsigned max_fds, int (*setup)(sd_bus *bus, void *userdata),
			 void *userdata, sd_bus **ret);

/* Calls `gone` once when the connection ends (org.freedesktop.DBus.Local.Disconnected). *slot is the caller's. */
int bus_on_disconnect(sd_bus *bus, sd_bus_message_handler_t gone, void *userdata, sd_bus_slot **slot);

/*
 * Asks Hello asynchronously; `done` gets 0, -EPROTO (another version: err->text names both and says to restart) or
 * -errno. It is not called once `bus` was closed.
 */
typedef void (*bus_hello_fn)(int r, const struct error *err, void *userdata);
int bus_hello(sd_bus *bus, const char *path, const char *interface, uint32_t version, bus_hello_fn done,
	      void *userdata);

/* Serves method Hello of an interface: answers with our version. */
int bus_method_hello(sd_bus_message *call, uint32_t version);

/* Fills err from an error reply (its message is the person's text); returns the negative errno. */
int bus_reply_error(sd_bus_message *reply, struct error *err);

/* Replies to `call` with error name "org.hotdesk.Error.Failed" and err's text, errno kept in the name's suffix. */
int bus_reply_with_error(sd_bus_message *call, const struct error *err);

#endif
