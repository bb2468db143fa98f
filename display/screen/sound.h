/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Plays what the desktop plays into the sink "vm" of its PulseAudio, one stream for each of QEMU's voices that plays. A
 * voice that does not has no stream, so that the sink of a silent desktop is suspended.
 */
#ifndef SCREEN_SOUND_H
#define SCREEN_SOUND_H

#include <stdbool.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

struct sound;

/* socket_fd: O_PATH, of PulseAudio's socket; taken over, also on failure. 0 or -errno. */
int sound_new(sd_event *event, int socket_fd, struct sound **ret);
/* Takes NULL. */
void sound_free(struct sound *sound);

/* Whether it plays into the daemon at that socket; sound may be NULL. */
bool sound_is_at(const struct sound *sound, int socket_fd);

/* QEMU's main connection, borrowed until another one is set; NULL: there is none. Without sound nothing is done. */
int sound_set_source(struct sound *sound, sd_bus *bus);

#endif
