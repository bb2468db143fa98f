/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Moves bytes between a viewer's TLS and its display's stream, with one buffer each way and back-pressure: a full one
 * is not read into. */
#ifndef GATE_RELAY_H
#define GATE_RELAY_H

#include <openssl/ssl.h>

#define RELAY_BUFFER 65536
#define RELAY_DRAIN_MSEC 10000 /* for a viewer to take what is left after the stream's end */

/*
 * Runs until either side ends; what it left is still sent to the other, and to the viewer a close_notify after it. Both
 * fds are non-blocking; tls_fd is tls's. 0 when the stream ended, -ECONNRESET when the viewer did, or another negative
 * errno.
 */
int relay_run(SSL *tls, int tls_fd, int stream_fd);

#endif
