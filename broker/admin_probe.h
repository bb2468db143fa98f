/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether another program serves: a connection that is closed at once. Never waits. */
#ifndef BROKER_ADMIN_PROBE_H
#define BROKER_ADMIN_PROBE_H

#include <stdbool.h>
#include <sys/socket.h>

/* runtime_dir/name, a Unix socket of type SOCK_STREAM or SOCK_SEQPACKET. */
bool admin_probe_socket(const char *runtime_dir, const char *name, int type);

/* The first address of [gate] listen; a wildcard is asked by the loopback, port 0 is what the gate wrote to
 * runtime_dir/gate/port. */
bool admin_probe_gate(const char *runtime_dir, const char *listen);

#endif
