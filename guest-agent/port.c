/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/port.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>

#define PORT_SYSFS "/sys/class/virtio-ports"
#define PORT_CHECK_MS 1000
#define PORT_READ_SIZE 16384
#define PORT_OUTPUT_KEPT 4096 /* bytes of room that an empty queue keeps */

struct port {
	struct loop *loop;
	const char *name, *path;
	const struct port_ops *ops;
	void *userdata;
	int fd;
	bool connected;
	int complained; /* errno of the last failed open, so that it is logged once */
	struct watch *watch, *timer;
	char *output;
	size_t sent, queued, room; /* of output: bytes written, bytes that wait behind them, all */
};

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Does the port's sysfs file hold exactly this name? */
static bool port_has_name(const char *entry, const char *name)
{
	char path[PATH_MAX];
	_cleanup_free_ char *text = NULL;

	if (fs_path(path, sizeof(path), PORT_SYSFS "/%s/name", entry) < 0 || fs_read_file(path, 4096, &text, NULL) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, name) == 0;
}

int port_find(const char *name, char *ret, size_t size)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	const struct dirent *entry;
	int r = fs_path(ret, size, "/dev/virtio-ports/%s", name);

	if (r < 0 || access(ret, F_OK) == 0)
		return r;
	dir = opendir(PORT_SYSFS);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && port_has_name(entry->d_name, name))
			return fs_path(ret, size, "/dev/%s", entry->d_name);
	return -ENOENT;
}

/* The kernel says POLLHUP as long as the host's side of the port is closed. */
static bool host_is_there(const struct port *port)
{
	struct pollfd probe = {.fd = port->fd, .events = POLLIN};

	return poll(&probe, 1, 0) >= 0 && !(probe.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static void port_forget(struct port *port)
{
	port->sent = port->queued = 0;
	if (port->room <= PORT_OUTPUT_KEPT)
		return;
	free(port->output);
	port->output = NULL;
	port->room = 0;
}

static void port_set_connected(struct port *port, bool connected)
{
	if (port->connected == connected)
		return;
	port->connected = connected;
	port_forget(port);
	if (connected)
		port->ops->connected(port->userdata);
	else
		port->ops->disconnected(port->userdata);
}

static void port_close(struct port *port)
{
	watch_free(port->watch);
	port->watch = NULL;
	closep(&port->fd);
	port->fd = -1;
	port_set_connected(port, false);
}

/* 0, or -errno when the port itself is broken (unplugged). -EAGAIN means: full, the kernel wakes us. */
static int port_flush(struct port *port)
{
	if (port->queued == 0)
		return 0;
	while (port->queued > 0) {
		ssize_t n = write(port->fd, port->output + port->sent, port->queued);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		port->sent += (size_t)n;
		port->queued -= (size_t)n;
	}
	port_forget(port);
	if (port->ops->drained)
		port->ops->drained(port->userdata);
	return 0;
}

/* Until nothing is left: the watch is edge triggered. */
static int port_drain(struct port *port)
{
	char buffer[PORT_READ_SIZE];

	for (;;) {
		ssize_t n = read(port->fd, buffer, sizeof(buffer));
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0) /* nobody has the host's side open; not an end of file */
			return 0;
		r = port->ops->data(buffer, (size_t)n, port->userdata);
		if (r < 0)
			return r;
	}
}

static void port_check(struct port *port)
{
	bool there = host_is_there(port);
	int r = 0;

	port_set_connected(port, there);
	if (there) {
		r = port_drain(port);
		if (r == 0)
			r = port_flush(port);
	}
	if (r < 0) {
		log_warning("port %s: %s", port->name, strerror(-r));
		port_close(port);
	}
}

static void on_port(uint32_t events, void *userdata)
{
	(void)events;
	port_check(userdata);
}

static int port_open(struct port *port)
{
	char found[PATH_MAX];
	const char *path = port->path;
	int r;

	if (!path) {
		r = port_find(port->name, found, sizeof(found));
		if (r < 0)
			return r;
		path = found;
	}
	port->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (port->fd < 0)
		return -errno;
	/*
	 * Edge triggered: while the host is away a level-triggered EPOLLHUP would be there all the time. The kernel
	 * wakes the port's waiters when the host's side is opened or closed, which is the edge needed here.
	 */
	r = loop_watch(port->loop, port->fd, EPOLLIN | EPOLLOUT | EPOLLET, on_port, port, &port->watch);
	if (r < 0)
		port_close(port);
	return r;
}

static void port_complain(const struct port *port, int r)
{
	if (r == -EBUSY)
		log_notice("port %s is another program's; left to it as long as it runs", port->name);
	else if (r < 0)
		log_warning("port %s cannot be opened (%s); trying again until it can", port->name, strerror(-r));
}

static void port_try(struct port *port)
{
	if (port->fd < 0) {
		int r = port_open(port);

		if (r != port->complained)
			port_complain(port, r);
		port->complained = r;
	}
	if (port->fd >= 0)
		port_check(port);
}

static void on_timer(uint32_t events, void *userdata)
{
	(void)events;
	port_try(userdata);
}

int port_new(struct loop *loop, const char *name, const char *path, const struct port_ops *ops, void *userdata,
	     struct port **ret)
{
	struct port *port = calloc(1, sizeof(*port));
	int r;

	if (!port)
		return -ENOMEM;
	*port = (struct port){.loop = loop, .name = name, .path = path, .ops = ops, .userdata = userdata, .fd = -1};
	r = loop_every(loop, PORT_CHECK_MS, on_timer, port, &port->timer);
	if (r < 0) {
		port_free(port);
		return r;
	}
	*ret = port; /* before `connected`, which may use it */
	port_try(port);
	return 0;
}

void port_free(struct port *port)
{
	if (!port)
		return;
	watch_free(port->timer);
	watch_free(port->watch);
	closep(&port->fd);
	free(port->output);
	free(port);
}

/* Room for so many bytes more. */
static int port_grow(struct port *port, size_t size)
{
	size_t want = port->queued + size, room = 2 * port->room > want ? 2 * port->room : want;
	char *output;

	if (want <= port->room - port->sent)
		return 0;
	if (port->sent > 0)
		memmove(port->output, port->output + port->sent, port->queued);
	port->sent = 0;
	if (want <= port->room)
		return 0;
	output = realloc(port->output, room);
	if (!output)
		return -ENOMEM;
	port->output = output;
	port->room = room;
	return 0;
}

int port_send(struct port *port, const char *data, size_t size)
{
	int r;

	if (!port->connected)
		return -ENOTCONN;
	if (size > port->ops->output_max - port->queued)
		return -ENOBUFS;
	r = port_grow(port, size);
	if (r < 0)
		return r;
	memcpy(port->output + port->sent + port->queued, data, size);
	port->queued += size;
	/* A broken port is found by its own event and closed there, not under the caller. */
	port_flush(port);
	return 0;
}

size_t port_queued(const struct port *port)
{
	return port->queued;
}
