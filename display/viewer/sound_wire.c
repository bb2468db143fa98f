/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/sound_wire.h"

#include "display/viewer/rfb_wire.h"

#define SIGN 0x80

bool sound_format_good(const struct sound_format *format)
{
	return format->sample <= SOUND_S32 && (format->channels == 1 || format->channels == 2) && format->rate >= 1 &&
	       format->rate <= SOUND_RATE_MAX;
}

bool sound_format_same(const struct sound_format *a, const struct sound_format *b)
{
	return a->sample == b->sample && a->channels == b->channels && a->rate == b->rate;
}

static size_t sample_bytes(enum sound_sample sample)
{
	switch (sample) {
	case SOUND_U8:
	case SOUND_S8:
		return 1;
	case SOUND_U16:
	case SOUND_S16:
		return 2;
	case SOUND_U32:
	case SOUND_S32:
		break;
	}
	return 4;
}

size_t sound_frame(const struct sound_format *format)
{
	return sample_bytes(format->sample) * format->channels;
}

size_t sound_bytes(const struct sound_format *format, unsigned milliseconds)
{
	size_t frames = (size_t)((uint64_t)format->rate * milliseconds / 1000);

	return (frames ? frames : 1) * sound_frame(format);
}

enum sound_sample sound_recorded(enum sound_sample sample)
{
	switch (sample_bytes(sample)) {
	case 1:
		return SOUND_U8;
	case 2:
		return SOUND_S16;
	default:
		return SOUND_S32;
	}
}

bool sound_silent(enum sound_sample recorded, const uint8_t *pcm, size_t size)
{
	uint8_t silence = recorded == SOUND_U8 ? SIGN : 0;

	for (size_t i = 0; i < size; i++)
		if (pcm[i] != silence)
			return false;
	return true;
}

void sound_convert(enum sound_sample sample, uint8_t *pcm, size_t size)
{
	size_t bytes = sample_bytes(sample);

	if (sample == sound_recorded(sample))
		return;
	for (size_t i = bytes - 1; i < size; i += bytes)
		pcm[i] ^= SIGN;
}

size_t sound_header(uint8_t to[static SOUND_HEADER_MAX], enum sound_reply reply, size_t size)
{
	to[0] = SERVER_QEMU;
	to[1] = QEMU_AUDIO;
	put_u16(to + 2, (uint16_t)reply);
	if (reply != SOUND_DATA)
		return 4;
	put_u32(to + 4, (uint32_t)size);
	return 8;
}
