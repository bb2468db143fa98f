/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a D-Bus peer sends passes through here before sd-bus reads it, so that its fds are counted. sd-bus (252) keeps
 * the fds of a message until it is complete, however many come: a peer that never ends one would use up our own.
 */
#ifndef COMMON_BUS_INTAKE_H
#define COMMON_BUS_INTAKE_H

#include "common/packet.h"

#include <systemd/sd-event.h>

#define BUS_INTAKE_FDS_MAX PACKET_FDS_MAX

struct bus_intake;

/*
 * Moves what arrives at the socket `fd` (which stays the caller's) to *ret_input, a new fd of the caller's to read
 * instead. Nothing is read that *ret_input does not take yet; its end of file follows after the last byte. A peer that
 * sends more than max_fds fds (up to BUS_INTAKE_FDS_MAX) in its life is cut off. Closing *ret_input ends it too.
 */
int bus_intake_new(sd_event *event, int fd, unsigned max_fds, struct bus_intake **ret, int *ret_input);

/* Takes nothing more and lets go of the socket. */
void bus_intake_end(struct bus_intake *intake);
void bus_intake_free(struct bus_intake *intake);

#endif
