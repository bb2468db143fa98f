/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A viewer's keysyms as strokes on the guest's keyboard (libxkbcommon with the pool's layout), for viewers that send no
 * key codes. Follows which keys it pressed; where a keysym needs other modifiers than are held, they are pressed or
 * released around it.
 */
#ifndef VIEWER_KEYMAP_H
#define VIEWER_KEYMAP_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct keymap;

/* qnum: QEMU's number of a key (XT code, 0x80 for the grey ones). */
typedef void (*keymap_stroke_fn)(uint32_t qnum, bool down, void *userdata);

/* layout: "de", "de(nodeadkeys)". An unknown one is an error that names it. */
int keymap_new(const char *layout, struct keymap **ret, struct error *err);
void keymap_free(struct keymap *keymap);

/* A key event of the viewer. False when the layout has no key for it. */
bool keymap_key(struct keymap *keymap, uint32_t keysym, bool down, keymap_stroke_fn stroke, void *userdata);

/* A key that was pressed or released by its number: followed, so that keysyms mixed in find the modifiers as they are.
 */
void keymap_follow(struct keymap *keymap, uint32_t qnum, bool down);

/* The guest's keys were all released (another source): modifiers count as up, locks as off. */
void keymap_reset(struct keymap *keymap);

/* evdev code (linux/input-event-codes.h) to qnum; 0 when QEMU has none. */
uint32_t keymap_qnum(uint32_t evdev);

#endif
