/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The sound of one desktop: a PulseAudio daemon of its own, which runs while a viewer of the desktop listens. Its
 * screen plays into it, each listening display records from it; both are handed its socket as an O_PATH fd, which they
 * connect to by /proc/self/fd and nobody else can reach. The listening socket is the broker's, so that clients of a
 * daemon that was killed connect to the next one at the same place.
 */
#ifndef BROKER_SOUND_H
#define BROKER_SOUND_H

#include "broker/desktop.h"

struct sound;

/* Viewers of desktop may play what it plays: its pool allows it and this machine has PulseAudio. */
bool sound_is_allowed(const struct desktop *desktop);

/* For a display of desktop; the caller's to close. -EAGAIN: it is not known yet, viewers_sound() follows. */
int sound_socket(struct desktop *desktop);

/* Does what desktop's viewers ask for; call it after one began or ceased to listen, or left. */
void sound_update(struct desktop *desktop);
/* The screen answered Hello; what it has from before, where that is not the first one (`again`), is not known. */
void sound_screen_up(struct desktop *desktop, bool again);

/* A pool was changed: what its viewers may play. */
void sounds_policy(struct desktops *desktops);
/* The desktop is given up: its daemon is ended. */
void sound_drop(struct desktop *desktop);
/* The broker ends: all daemons go on. */
void sounds_free(struct desktops *desktops);

#endif
