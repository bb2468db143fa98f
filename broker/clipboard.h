/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The clipboard of one watched desktop: its screen is told what the pool allows, and given the desktop's vdagent port,
 * again whenever that is lost; what it says has been copied is audited. A screen that can do nothing of it costs nobody
 * the picture.
 */
#ifndef BROKER_CLIPBOARD_H
#define BROKER_CLIPBOARD_H

#include "broker/desktop.h"

#include <systemd/sd-bus.h>

struct clipboard;

int clipboard_new(struct desktop *desktop, struct clipboard **ret);
/* Once the connection to the screen is closed. */
void clipboard_free(struct clipboard *clipboard);

/* Adds its matches to a new connection to the screen. */
int clipboard_setup(struct clipboard *clipboard, sd_bus *bus);
/* The screen answered Hello; what it has from before is not known. */
void clipboard_screen_up(struct clipboard *clipboard);
/* The screen has its source: it gets the port too. */
void clipboard_open(struct clipboard *clipboard);
/* The pool may allow something else now. */
void clipboard_policy(struct clipboard *clipboard);
/* The desktop's QEMU is no more. */
void clipboard_reset(struct clipboard *clipboard);

#endif
