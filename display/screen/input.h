/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Keys, buttons and positions on their way to QEMU, in order and paced: a virtio keyboard has room for 64 events and
 * drops what comes while its guest has not taken them, so a burst (pasted text, a slow guest) would lose keys. A few go
 * at once, the rest at a steady rate.
 */
#ifndef SCREEN_INPUT_H
#define SCREEN_INPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define INPUT_QUEUE_MAX 4096 /* events; presses over it are dropped, releases are not */
#define INPUT_BURST 8        /* events that go at once */
#define INPUT_GAP_USEC 4000L /* between two further ones */

enum input_type { INPUT_KEY, INPUT_BUTTON, INPUT_POSITION, INPUT_MOTION };

struct input_event {
	enum input_type type;
	uint32_t a, b; /* key or button and 1 (down) or 0; x and y; dx and dy as int32_t */
};

struct input;

int input_new(sd_event *event, void (*send)(const struct input_event *event, void *userdata), void *userdata,
	      struct input **ret);
void input_free(struct input *input);

/* A position right behind another one that still waits replaces it; a motion is added to one. */
void input_add(struct input *input, const struct input_event *event);

/* Drops what waits: it was meant for a QEMU that is gone. */
void input_clear(struct input *input);

#endif
