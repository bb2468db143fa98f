/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The listening process: accepts, sends the 12 constant bytes of version, and executes one process per peer that has
 * said something. */
#ifndef GATE_LISTENER_H
#define GATE_LISTENER_H

#include "common/conf.h"
#include "common/error.h"

/* The environment variable in which a listener hands its state (a memfd's number) to itself over exec at SIGHUP. */
#define LISTENER_STATE "HOTDESK_GATE_STATE"

/* Runs until SIGTERM; at SIGHUP executes this program again with argv and the listening sockets. */
int listener_run(const struct conf *conf, char **argv, struct error *err);

#endif
