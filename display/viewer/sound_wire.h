/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The QEMU audio extension's bytes (rfbproto, pseudo-encoding -259; QEMU's ui/vnc.c): formats, PCM and messages. Pure.
 * PCM is little-endian, as QEMU sends it on the machines that hotdesk runs on.
 */
#ifndef VIEWER_SOUND_WIRE_H
#define VIEWER_SOUND_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOUND_RATE_MAX 48000u

/* The client's messages. */
enum sound_request {
	SOUND_ENABLE = 0,
	SOUND_DISABLE = 1,
	SOUND_FORMAT = 2, /* sample U8, channels U8, rate U32 */
};

/* The server's. */
enum sound_reply {
	SOUND_END = 0,
	SOUND_BEGIN = 1,
	SOUND_DATA = 2, /* size U32, PCM */
};

enum sound_sample { SOUND_U8 = 0, SOUND_S8 = 1, SOUND_U16 = 2, SOUND_S16 = 3, SOUND_U32 = 4, SOUND_S32 = 5 };

struct sound_format {
	uint8_t sample; /* enum sound_sample */
	uint8_t channels;
	uint32_t rate; /* Hz */
};

/* What a viewer that names no format gets, as from QEMU. */
#define SOUND_FORMAT_DEFAULT ((struct sound_format){SOUND_S16, 2, 44100})

bool sound_format_good(const struct sound_format *format);
bool sound_format_same(const struct sound_format *a, const struct sound_format *b);

/* Bytes of a frame (one sample of each channel), and of a time: whole frames, at least one. */
size_t sound_frame(const struct sound_format *format);
size_t sound_bytes(const struct sound_format *format, unsigned milliseconds);

/* A sound server has one signedness of each width alone: U8, S16 and S32. That of the sample's width: */
enum sound_sample sound_recorded(enum sound_sample sample);

/* Whether recorded PCM (sound_recorded's kind) is nothing but silence. */
bool sound_silent(enum sound_sample recorded, const uint8_t *pcm, size_t size);

/* Makes recorded PCM into the viewer's, in place: flips the sign where its sample is of the other signedness. */
void sound_convert(enum sound_sample sample, uint8_t *pcm, size_t size);

#define SOUND_HEADER_MAX 8
/* The head of a message; size: of the PCM behind a SOUND_DATA. Returns its bytes. */
size_t sound_header(uint8_t to[static SOUND_HEADER_MAX], enum sound_reply reply, size_t size);

#endif
