/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * QEMU's org.qemu.Display1.Audio on the main connection of qemu_display.h, with one listener. `audio listener` is
 * printed for each, `audio gone` at its end, `audio refused TEXT` for what it refuses.
 */
#ifndef FAKES_QEMU_AUDIO_H
#define FAKES_QEMU_AUDIO_H

#include "tests/fakes/lines.h"

#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define FAKE_VOICES 4

struct fake_voice {
	uint64_t id; /* 0: none */
	unsigned hz;
	int enabled;
	/* A tone that is being played. */
	unsigned tone_hz;
	uint64_t at, end; /* frames */
};

struct qemu_audio {
	sd_event *event;
	sd_bus *listener;
	sd_bus_slot *gone;
	sd_event_source *tick;
	uint64_t next; /* CLOCK_MONOTONIC, us: of the next step */
	struct fake_voice voices[FAKE_VOICES];
};

/* Adds the object to a connection. */
int qemu_audio_setup(sd_bus *bus, struct qemu_audio *audio);
void qemu_audio_close(struct qemu_audio *audio);

/* What lines can make it do (README.md), for lines_serve with a struct qemu_audio. */
extern const struct line_command qemu_audio_commands[];

#endif
