/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The listening process: accepts, sends the 12 constant bytes of version, and executes one process per peer that has
 * said something. */
#ifndef GATE_LISTENER_H
#define GATE_LISTENER_H

#include "common/conf.h"
#include "common/error.h"

/* The environment variable in which a listener hands its state (a memfd's number) to itself over exec at SIGHUP. */
#define LISTENER_STATE "HOTDESK_GATE_STATE"

/*
 * Runs until SIGTERM. At SIGHUP executes its program again with argv and the listening sockets, where the configuration
 * of `path` (as for conf_load) and the certificate are usable; otherwise logs why and goes on as it is.
 */
int listener_run(const struct conf *conf, const char *path, char **argv, struct error *err);

#endif
