/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The listening sockets of [gate] listen. */
#ifndef GATE_LISTEN_H
#define GATE_LISTEN_H

#include "common/error.h"

#include <stddef.h>
#include <sys/socket.h>

#define LISTEN_MAX 16

/* Opens "ADDRESS:PORT[,...]" ("[::]:5900", "127.0.0.1:0"). *ret_n fds in fds, non-blocking, close-on-exec. */
int listen_open(const char *spec, int fds[LISTEN_MAX], size_t *ret_n, struct error *err);

/* The port a listening fd is bound to, or -errno. */
int listen_port(int fd);

/* "ADDRESS PORT"; IPv4-mapped addresses are written as IPv4. */
void address_text(const struct sockaddr_storage *address, char *text, size_t size);

#endif
