/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The audit of what was copied between viewers and desktops: who, which way, how much; never what. A guest can cause
 * any number of copies, so they are collected; the log has each of them at once. */
#ifndef BROKER_COPIES_H
#define BROKER_COPIES_H

#include "broker/collector.h"
#include "broker/desktop.h"

int copies_new(struct broker *broker, struct collector **ret);

/* out: of the desktop. */
void copies_add(struct collector *copies, const struct desktop *desktop, bool out, uint32_t bytes);

#endif
