/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The viewer's ear, on the main thread: records the monitor of the desktop's sink in the viewer's own format, while the
 * viewer has sound on and may have it, and gives it to the RFB thread without silence.
 */
#ifndef VIEWER_SOUND_H
#define VIEWER_SOUND_H

#include "display/viewer/server.h"

#include <systemd/sd-event.h>

struct sound;

/* wanted: whether it listens now; told at changes, and again after each sound_set while it does. server outlives it. */
int sound_new(sd_event *event, struct server *server, void (*wanted)(bool wanted, void *userdata), void *userdata,
	      struct sound **ret);
void sound_free(struct sound *sound);

/* A new SetEncodings. */
void sound_features(struct sound *sound, uint32_t features);
/* A FILTER_SOUND. */
void sound_heard(struct sound *sound, const struct filter_message *message);

/* socket_fd: O_PATH, of the sound daemon's socket, taken over; with one of the same socket what runs goes on. */
void sound_set(struct sound *sound, bool allowed, int socket_fd);

#endif
