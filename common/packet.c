/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/packet.h"

#include "common/cleanup.h"
#include "common/fs.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define PACKET_BACKLOG 512

union packet_control {
	char buffer[CMSG_SPACE(sizeof(int) * PACKET_FDS_MAX)];
	struct cmsghdr align;
};

int packet_connect_socket(int fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r = fs_path(address.sun_path, sizeof(address.sun_path), "%s", path);

	if (r < 0)
		return r;
	return connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

int packet_connect(const char *path)
{
	return socket_connect(path, SOCK_SEQPACKET);
}

int socket_connect(const char *path, int type)
{
	_cleanup_close_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	int r = fd < 0 ? -errno : packet_connect_socket(fd, path);

	return r < 0 ? r : steal_fd(&fd);
}

int packet_listen(const char *path, mode_t mode)
{
	return socket_listen(path, SOCK_SEQPACKET, PACKET_BACKLOG, mode);
}

int socket_listen(const char *path, int type, int backlog, mode_t mode)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;
	int r = fs_path(address.sun_path, sizeof(address.sun_path), "%s.new", path);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(address.sun_path);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (chmod(address.sun_path, mode) < 0 || listen(fd, backlog) < 0 || rename(address.sun_path, path) < 0) {
		r = -errno;
		unlink(address.sun_path);
		return r;
	}
	return steal_fd(&fd);
}

int packet_send(int fd, const void *data, size_t size, const int *fds, size_t n_fds)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	union packet_control control;
	ssize_t n;

	if (n_fds > PACKET_FDS_MAX)
		return -E2BIG;
	if (n_fds > 0) {
		struct cmsghdr *header;

		memset(&control, 0, sizeof(control));
		message.msg_control = control.buffer;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(header), fds, sizeof(int) * n_fds);
	}
	do
		n = sendmsg(fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

/* Collects every fd of the message, so that those of a refused message are closed too. */
static size_t packet_take_fds(struct msghdr *message, int *fds)
{
	size_t n = 0;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
		size_t count;

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds + n, CMSG_DATA(header), count * sizeof(int));
		n += count;
	}
	return n;
}

int packet_recv(int fd, void *data, size_t size, int *ret_fds, size_t max_fds, size_t *ret_n_fds)
{
	struct iovec iov = {.iov_base = data, .iov_len = size};
	union packet_control control;
	struct msghdr message = {
	    .msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control.buffer,
	    .msg_controllen = sizeof(control.buffer),
	};
	int fds[PACKET_FDS_MAX];
	size_t n_fds;
	ssize_t n;

	do
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	n_fds = packet_take_fds(&message, fds);
	if (n == 0 && n_fds == 0)
		return 0;
	if ((size_t)n != size || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || n_fds > max_fds) {
		for (size_t i = 0; i < n_fds; i++)
			close(fds[i]);
		return -EBADMSG;
	}
	if (n_fds > 0)
		memcpy(ret_fds, fds, n_fds * sizeof(int));
	if (ret_n_fds)
		*ret_n_fds = n_fds;
	return 1;
}

int packet_peer(int fd, uid_t *ret_uid, pid_t *ret_pid)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	if (ret_uid)
		*ret_uid = credentials.uid;
	if (ret_pid)
		*ret_pid = credentials.pid;
	return 0;
}
