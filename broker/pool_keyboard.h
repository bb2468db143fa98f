/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef BROKER_POOL_KEYBOARD_H
#define BROKER_POOL_KEYBOARD_H

#include "common/error.h"

/* Compiles the keymap of "LAYOUT" or "LAYOUT(VARIANT)" as the display will. -EINVAL: XKB does not know it. */
int pool_keyboard_check(const char *keyboard, struct error *err);

#endif
