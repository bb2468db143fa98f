/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/screen/sound.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "display/pulse_link.h"
#include "display/screen/audio.h"

#include <errno.h>
#include <pulse/context.h>
#include <pulse/error.h>
#include <pulse/introspect.h>
#include <pulse/stream.h>
#include <pulse/volume.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SINK "vm"
#define VOICES_MAX 8
#define LATENCY_USEC 60000 /* what QEMU may be late by without a gap */
#define REQUEST_USEC 10000 /* QEMU's own step */
#define LATENCY_MAX_USEC 200000
#define RETRY_USEC UINT64_C(500000) /* until a stream that failed is made again */

struct voice {
	struct sound *sound;
	bool used, playable, enabled;
	uint64_t id;
	pa_sample_spec spec;
	pa_stream *stream; /* NULL: it does not play, or there is no daemon */
	bool draining;
	uint64_t retry;   /* CLOCK_MONOTONIC, us: no stream before */
	uint8_t *pending; /* came while the stream is made: LATENCY_MAX_USEC of it at most */
	size_t n_pending;
};

struct sound {
	sd_event *event;
	struct pulse_link *link;
	struct stat socket;
	pa_context *context; /* the link's; NULL: there is no daemon */
	struct audio *audio;
	struct voice voices[VOICES_MAX];
	/* The last volume that was told, for voices to come. */
	uint8_t levels[AUDIO_CHANNELS_MAX];
	size_t n_levels;
	bool mute;
};

/* False: PulseAudio has no such samples. */
static bool spec_of(const struct audio_format *format, pa_sample_spec *ret)
{
	bool big = format->big_endian;
	pa_sample_spec spec = {.format = PA_SAMPLE_INVALID, .rate = format->hz, .channels = format->channels};

	if (format->is_float && format->bits == 32)
		spec.format = big ? PA_SAMPLE_FLOAT32BE : PA_SAMPLE_FLOAT32LE;
	else if (format->is_float)
		return false;
	else if (format->bits == 8 && !format->is_signed)
		spec.format = PA_SAMPLE_U8;
	else if (format->bits == 16 && format->is_signed)
		spec.format = big ? PA_SAMPLE_S16BE : PA_SAMPLE_S16LE;
	else if (format->bits == 32 && format->is_signed)
		spec.format = big ? PA_SAMPLE_S32BE : PA_SAMPLE_S32LE;
	if (!pa_sample_spec_valid(&spec) || spec.channels > AUDIO_CHANNELS_MAX ||
	    pa_frame_size(&spec) != format->bytes_per_frame)
		return false;
	*ret = spec;
	return true;
}

static pa_cvolume volume_of(const struct sound *sound, uint8_t channels)
{
	pa_cvolume volume;

	pa_cvolume_reset(&volume, channels);
	for (size_t i = 0; i < channels && sound->n_levels > 0; i++)
		volume.values[i] =
		    pa_sw_volume_from_linear(sound->levels[i < sound->n_levels ? i : sound->n_levels - 1] / 255.0);
	return volume;
}

/* -- streams --------------------------------------------------------------------------------------------------------*/

static void stream_drop(struct voice *voice)
{
	pa_stream *stream = voice->stream;

	if (!stream)
		return;
	voice->stream = NULL;
	voice->draining = false;
	free(voice->pending);
	voice->pending = NULL;
	voice->n_pending = 0;
	pa_stream_set_state_callback(stream, NULL, NULL);
	pa_stream_set_overflow_callback(stream, NULL, NULL);
	pa_stream_disconnect(stream);
	pa_stream_unref(stream);
}

static void unref_operation(pa_operation *operation)
{
	if (operation)
		pa_operation_unref(operation);
}

static void tell_volume(const struct voice *voice)
{
	const struct sound *sound = voice->sound;
	pa_cvolume volume = volume_of(sound, voice->spec.channels);
	uint32_t index = pa_stream_get_index(voice->stream);

	unref_operation(pa_context_set_sink_input_volume(sound->context, index, &volume, NULL, NULL));
	unref_operation(pa_context_set_sink_input_mute(sound->context, index, sound->mute, NULL, NULL));
}

/* Volume and samples may have come since it was asked for. */
static void stream_ready(struct voice *voice)
{
	tell_volume(voice);
	if (voice->n_pending > 0)
		pa_stream_write(voice->stream, voice->pending, voice->n_pending, NULL, 0, PA_SEEK_RELATIVE);
	free(voice->pending);
	voice->pending = NULL;
	voice->n_pending = 0;
}

static void on_stream_state(pa_stream *stream, void *userdata)
{
	struct voice *voice = userdata;

	if (pa_stream_get_state(stream) == PA_STREAM_READY)
		stream_ready(voice);
	if (PA_STREAM_IS_GOOD(pa_stream_get_state(stream)))
		return;
	log_debug("the desktop's sound is not taken: %s", pa_strerror(pa_context_errno(pa_stream_get_context(stream))));
	stream_drop(voice);
	voice->retry = clock_usec() + RETRY_USEC;
}

static void done(pa_stream *stream, int success, void *userdata)
{
	(void)stream, (void)success, (void)userdata;
}

/* QEMU was held up and now sends all it has: what is late is left out, not kept for later. */
static void on_overflow(pa_stream *stream, void *userdata)
{
	unref_operation(pa_stream_flush(stream, done, userdata));
}

static void stream_make(struct voice *voice)
{
	const struct sound *sound = voice->sound;
	pa_cvolume volume = volume_of(sound, voice->spec.channels);
	pa_buffer_attr attr = {
	    .maxlength = (uint32_t)pa_usec_to_bytes(LATENCY_MAX_USEC, &voice->spec),
	    .tlength = (uint32_t)pa_usec_to_bytes(LATENCY_USEC, &voice->spec),
	    .prebuf = (uint32_t)-1,
	    .minreq = (uint32_t)pa_usec_to_bytes(REQUEST_USEC, &voice->spec),
	    .fragsize = (uint32_t)-1,
	};
	unsigned flags = PA_STREAM_ADJUST_LATENCY | (sound->mute ? PA_STREAM_START_MUTED : PA_STREAM_START_UNMUTED);

	if (voice->stream || !sound->context || !voice->playable || !voice->enabled || clock_usec() < voice->retry)
		return;
	voice->retry = clock_usec() + RETRY_USEC;
	voice->stream = pa_stream_new(sound->context, "desktop", &voice->spec, NULL);
	if (!voice->stream)
		return;
	pa_stream_set_state_callback(voice->stream, on_stream_state, voice);
	pa_stream_set_overflow_callback(voice->stream, on_overflow, voice);
	if (pa_stream_connect_playback(voice->stream, SINK, &attr, (pa_stream_flags_t)flags, &volume, NULL) < 0)
		stream_drop(voice);
}

static void drained(pa_stream *stream, int success, void *userdata)
{
	struct voice *voice = userdata;

	(void)stream;
	(void)success;
	if (voice->draining)
		stream_drop(voice);
}

/* What it has is heard to its end. */
static void stream_end(struct voice *voice)
{
	if (!voice->stream || voice->draining)
		return;
	if (pa_stream_get_state(voice->stream) != PA_STREAM_READY) {
		stream_drop(voice);
		return;
	}
	voice->draining = true;
	unref_operation(pa_stream_drain(voice->stream, drained, voice));
}

/* -- voices, as QEMU tells of them ----------------------------------------------------------------------------------*/

static struct voice *voice_find(struct sound *sound, uint64_t id)
{
	for (size_t i = 0; i < VOICES_MAX; i++)
		if (sound->voices[i].used && sound->voices[i].id == id)
			return &sound->voices[i];
	return NULL;
}

static void voice_free(struct voice *voice)
{
	stream_drop(voice);
	*voice = (struct voice){0};
}

static struct voice *voice_unused(struct sound *sound)
{
	for (size_t i = 0; i < VOICES_MAX; i++)
		if (!sound->voices[i].used)
			return &sound->voices[i];
	return NULL;
}

static void on_init(uint64_t id, const struct audio_format *format, void *userdata)
{
	struct sound *sound = userdata;
	struct voice *voice = voice_find(sound, id);

	if (voice)
		voice_free(voice);
	else
		voice = voice_unused(sound);
	if (!voice)
		return;
	*voice = (struct voice){.sound = sound, .used = true, .id = id};
	voice->playable = spec_of(format, &voice->spec);
	if (!voice->playable)
		log_warning("the desktop plays %u bits, %u channels, %u Hz, which cannot be passed on", format->bits,
			    format->channels, format->hz);
}

static void on_fini(uint64_t id, void *userdata)
{
	struct voice *voice = voice_find(userdata, id);

	if (voice)
		voice_free(voice);
}

static void on_enabled(uint64_t id, bool enabled, void *userdata)
{
	struct voice *voice = voice_find(userdata, id);

	if (!voice)
		return;
	voice->enabled = enabled;
	if (!enabled) {
		stream_end(voice);
		return;
	}
	voice->draining = false;
	stream_make(voice);
}

static void on_volume(uint64_t id, bool mute, const uint8_t *levels, size_t n, void *userdata)
{
	struct sound *sound = userdata;
	const struct voice *voice = voice_find(sound, id);

	sound->mute = mute;
	sound->n_levels = n;
	for (size_t i = 0; i < n; i++)
		sound->levels[i] = levels[i];
	if (voice && voice->stream && pa_stream_get_state(voice->stream) == PA_STREAM_READY)
		tell_volume(voice);
}

/* What does not fit is the end: the stream is there long before, or never. */
static void keep_pending(struct voice *voice, const void *data, size_t size)
{
	size_t most = pa_usec_to_bytes(LATENCY_MAX_USEC, &voice->spec);

	if (!voice->pending)
		voice->pending = malloc(most);
	if (!voice->pending || size > most - voice->n_pending)
		return;
	memcpy(voice->pending + voice->n_pending, data, size);
	voice->n_pending += size;
}

static void on_write(uint64_t id, const void *data, size_t size, void *userdata)
{
	struct voice *voice = voice_find(userdata, id);

	if (!voice || !voice->playable)
		return;
	stream_make(voice);
	size -= size % pa_frame_size(&voice->spec);
	if (size == 0 || !voice->stream)
		return;
	if (pa_stream_get_state(voice->stream) == PA_STREAM_READY)
		pa_stream_write(voice->stream, data, size, NULL, 0, PA_SEEK_RELATIVE);
	else
		keep_pending(voice, data, size);
}

static void on_gone(void *userdata)
{
	struct sound *sound = userdata;

	for (size_t i = 0; i < VOICES_MAX; i++)
		voice_free(&sound->voices[i]);
}

static const struct audio_ops audio_ops = {on_init, on_fini, on_enabled, on_volume, on_write, on_gone};

/* -- the daemon -----------------------------------------------------------------------------------------------------*/

static void link_up(pa_context *context, void *userdata)
{
	struct sound *sound = userdata;

	sound->context = context;
	for (size_t i = 0; i < VOICES_MAX; i++) {
		sound->voices[i].retry = 0;
		if (sound->voices[i].used)
			stream_make(&sound->voices[i]);
	}
}

static void link_down(void *userdata)
{
	struct sound *sound = userdata;

	sound->context = NULL;
	for (size_t i = 0; i < VOICES_MAX; i++)
		stream_drop(&sound->voices[i]);
}

static const struct pulse_link_ops link_ops = {link_up, link_down};

int sound_new(sd_event *event, int socket_fd, struct sound **ret)
{
	struct sound *sound = calloc(1, sizeof(*sound));
	int r = 0;

	if (!sound || fstat(socket_fd, &sound->socket) < 0) {
		r = sound ? -errno : -ENOMEM;
		close(socket_fd);
		free(sound);
		return r;
	}
	sound->event = sd_event_ref(event);
	r = pulse_link_new(event, socket_fd, "hotdesk-screen", &link_ops, sound, &sound->link);
	if (r < 0) {
		sound_free(sound);
		return r;
	}
	*ret = sound;
	return 0;
}

void sound_free(struct sound *sound)
{
	if (!sound)
		return;
	audio_free(sound->audio);
	on_gone(sound);
	pulse_link_free(sound->link);
	sd_event_unref(sound->event);
	free(sound);
}

bool sound_is_at(const struct sound *sound, int socket_fd)
{
	struct stat info;

	return sound && fstat(socket_fd, &info) == 0 && info.st_dev == sound->socket.st_dev &&
	       info.st_ino == sound->socket.st_ino;
}

int sound_set_source(struct sound *sound, sd_bus *bus)
{
	if (!sound)
		return 0;
	audio_free(sound->audio);
	sound->audio = NULL;
	on_gone(sound);
	return bus ? audio_new(sound->event, bus, &audio_ops, sound, &sound->audio) : 0;
}
