/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/x_watch.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/packet.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define X_LOOK_MS 500

struct x_watch {
	struct loop *loop;
	const char *path;
	x_watch_fn fn;
	void *userdata;
	int pidfd; /* of the server, -1: there is none */
	struct watch *look, *end;
};

/* The pidfd of who listens there, or -errno. The connection ends with this function: X counts its clients. */
static int server_open(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	uid_t uid;
	pid_t pid;
	int r = fs_path(address.sun_path, sizeof(address.sun_path), "%s", path);

	if (r < 0)
		return r;
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	r = packet_peer(fd, &uid, &pid);
	if (r == 0 && uid != geteuid())
		r = -EPERM;
	if (r < 0)
		return r;
	r = (int)syscall(SYS_pidfd_open, pid, 0);
	return r < 0 ? -errno : r;
}

static void on_look(uint32_t events, void *userdata);

static void server_forget(struct x_watch *watch)
{
	watch_free(watch->end);
	watch->end = NULL;
	closep(&watch->pidfd);
	watch->pidfd = -1;
}

static void on_end(uint32_t events, void *userdata)
{
	struct x_watch *watch = userdata;

	(void)events;
	/* Without a timer nobody would look any more: then the next event tries again. */
	if (loop_every(watch->loop, X_LOOK_MS, on_look, watch, &watch->look) < 0)
		return;
	server_forget(watch);
	watch->fn(false, watch->userdata);
}

static void on_look(uint32_t events, void *userdata)
{
	struct x_watch *watch = userdata;

	(void)events;
	watch->pidfd = server_open(watch->path);
	if (watch->pidfd < 0)
		return;
	if (loop_watch(watch->loop, watch->pidfd, EPOLLIN, on_end, watch, &watch->end) < 0) {
		server_forget(watch);
		return;
	}
	watch_free(watch->look);
	watch->look = NULL;
	watch->fn(true, watch->userdata);
}

int x_watch_new(struct loop *loop, const char *path, x_watch_fn fn, void *userdata, struct x_watch **ret)
{
	struct x_watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	*watch = (struct x_watch){.loop = loop, .path = path, .fn = fn, .userdata = userdata, .pidfd = -1};
	r = loop_every(loop, X_LOOK_MS, on_look, watch, &watch->look);
	if (r < 0) {
		x_watch_free(watch);
		return r;
	}
	*ret = watch;
	return 0;
}

void x_watch_free(struct x_watch *watch)
{
	if (!watch)
		return;
	server_forget(watch);
	watch_free(watch->look);
	free(watch);
}
