/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the desktop plays, as QEMU tells it (ui/dbus-display1.xml: org.qemu.Display1.Audio, AudioOutListener): registers
 * a listener, anew where that is lost, and passes on what comes. All of it is QEMU's word; sizes alone are bounded
 * here.
 */
#ifndef SCREEN_AUDIO_H
#define SCREEN_AUDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define AUDIO_WRITE_MAX (1u << 20)
#define AUDIO_CHANNELS_MAX 8

struct audio;

struct audio_format {
	uint8_t bits, channels;
	bool is_signed, is_float, big_endian;
	uint32_t hz, bytes_per_frame;
};

/* id: QEMU's of a voice. */
struct audio_ops {
	void (*init)(uint64_t id, const struct audio_format *format, void *userdata);
	void (*fini)(uint64_t id, void *userdata);
	void (*enabled)(uint64_t id, bool enabled, void *userdata);
	/* One level for each of n channels, 255: as it is. */
	void (*volume)(uint64_t id, bool mute, const uint8_t *levels, size_t n, void *userdata);
	void (*write)(uint64_t id, const void *data, size_t size, void *userdata);
	/* All voices are gone; a new listener hears of them again. */
	void (*gone)(void *userdata);
};

/* bus: QEMU's main connection, borrowed until the free. 0 or -errno. */
int audio_new(sd_event *event, sd_bus *bus, const struct audio_ops *ops, void *userdata, struct audio **ret);
/* Not from within the ops; takes NULL. */
void audio_free(struct audio *audio);

#endif
