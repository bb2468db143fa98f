/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fixed-size messages with file descriptors over SOCK_SEQPACKET Unix sockets (unix(7)): gate <-> broker, {host,broker}
 * <-> spawn. */
#ifndef COMMON_PACKET_H
#define COMMON_PACKET_H

#include <stddef.h>
#include <sys/types.h>

#define PACKET_FDS_MAX 24

/* A listening socket at `path` (an old one is replaced by rename, so a connect never finds none), non-blocking. Returns
 * fd or -errno. */
int packet_listen(const char *path, mode_t mode);

/* The same for any socket type (bus_listen uses it for SOCK_STREAM). */
int socket_listen(const char *path, int type, int backlog, mode_t mode);

/* Returns a connected fd or -errno. `path` fits sun_path or -ENAMETOOLONG. The connect of a Unix socket does not wait
 * for accept. */
int packet_connect(const char *path);

/* The same for any socket type; with SOCK_NONBLOCK in it, -EAGAIN where too many wait for accept already. */
int socket_connect(const char *path, int type);

/* The same with a SOCK_SEQPACKET socket the caller made before a sandbox took socket(2) away. 0 or -errno. */
int packet_connect_socket(int fd, const char *path);

/* 0 or -errno. -EAGAIN when a non-blocking socket is full. The fds stay the caller's. */
int packet_send(int fd, const void *data, size_t size, const int *fds, size_t n_fds);

/*
 * Receives one message of exactly `size` bytes. Returns 1, 0 at end of file, -EAGAIN, or -EBADMSG for any other size or
 * more than max_fds fds (all received fds are closed then). fds are close-on-exec and the caller's.
 */
int packet_recv(int fd, void *data, size_t size, int *ret_fds, size_t max_fds, size_t *ret_n_fds);

/* The peer's uid and pid (SO_PEERCRED): of who connected, or of who made the socketpair. */
int packet_peer(int fd, uid_t *ret_uid, pid_t *ret_pid);

#endif
