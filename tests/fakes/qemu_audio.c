/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/fakes/qemu_audio.h"

#include "common/bus.h"
#include "common/clock.h"
#include "display/display1.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEP_USEC 10000 /* as QEMU's default of 480 samples */
#define LOUDNESS 16000

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	(void)userdata;
	(void)ret_error;
	if (sd_bus_message_is_method_error(reply, NULL))
		say("audio refused %s", sd_bus_message_get_error(reply)->message);
	return 0;
}

static int tell(struct qemu_audio *audio, const char *method, const char *types, ...)
{
	va_list args;
	int r;

	if (!audio->listener)
		return -ENOTCONN;
	va_start(args, types);
	r = sd_bus_call_method_asyncv(audio->listener, NULL, NULL, DISPLAY1_AUDIO_OUT_PATH, DISPLAY1_AUDIO_OUT, method,
				      on_answer, audio, types, args);
	va_end(args);
	return r;
}

static int tell_init(struct qemu_audio *audio, const struct fake_voice *voice)
{
	return tell(audio, "Init", "tybbuyuub", voice->id, 16, 1, 0, voice->hz, 2, 4, 4 * voice->hz, 0);
}

static int on_gone(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	(void)message;
	(void)userdata;
	(void)ret_error;
	say("audio gone");
	return 0;
}

/* Volumes are not told again: QEMU does not do that either. */
static int on_register(sd_bus_message *call, void *userdata, sd_bus_error *ret_error)
{
	struct qemu_audio *audio = userdata;
	int fd, r = sd_bus_message_read(call, "h", &fd);

	(void)ret_error;
	if (r < 0)
		return r;
	/* QEMU 7.2 is gone then. */
	if (!sd_bus_message_get_sender(call)) {
		say("audio refused a caller without a name");
		return -EINVAL;
	}
	qemu_audio_close(audio);
	r = bus_serve_fd(audio->event, fcntl(fd, F_DUPFD_CLOEXEC, 3), NULL, NULL, &audio->listener);
	if (r >= 0)
		r = bus_on_disconnect(audio->listener, on_gone, audio, &audio->gone);
	if (r < 0)
		return r;
	say("audio listener");
	for (size_t i = 0; i < FAKE_VOICES; i++)
		if (audio->voices[i].id) {
			tell_init(audio, &audio->voices[i]);
			tell(audio, "SetEnabled", "tb", audio->voices[i].id, audio->voices[i].enabled);
		}
	return sd_bus_reply_method_return(call, "");
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("RegisterOutListener", "h", "", on_register, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

int qemu_audio_setup(sd_bus *bus, struct qemu_audio *audio)
{
	return sd_bus_add_object_vtable(bus, NULL, DISPLAY1_AUDIO_PATH, DISPLAY1_AUDIO, vtable, audio);
}

void qemu_audio_close(struct qemu_audio *audio)
{
	audio->gone = sd_bus_slot_unref(audio->gone);
	audio->listener = sd_bus_close_unref(audio->listener);
}

static struct fake_voice *voice_of(struct qemu_audio *audio, uint64_t id)
{
	for (size_t i = 0; i < FAKE_VOICES; i++)
		if (audio->voices[i].id == id)
			return &audio->voices[i];
	return NULL;
}

static void write_step(struct qemu_audio *audio, struct fake_voice *voice)
{
	size_t frames = voice->hz * STEP_USEC / 1000000;
	int16_t data[2 * 1920];
	sd_bus_message *message = NULL;
	int r;

	for (size_t i = 0; i < frames; i++, voice->at++)
		data[2 * i] = data[2 * i + 1] =
		    (int16_t)(LOUDNESS * sin(2 * M_PI * voice->tone_hz * (double)voice->at / voice->hz));
	r = audio->listener ? sd_bus_message_new_method_call(audio->listener, &message, NULL, DISPLAY1_AUDIO_OUT_PATH,
							     DISPLAY1_AUDIO_OUT, "Write")
			    : -ENOTCONN;
	if (r >= 0)
		r = sd_bus_message_append(message, "t", voice->id);
	if (r >= 0)
		r = sd_bus_message_append_array(message, 'y', data, frames * 4);
	if (r >= 0)
		sd_bus_call_async(audio->listener, NULL, message, on_answer, audio, 0);
	sd_bus_message_unref(message);
}

/* At the pace of a sound card, also where a step came late. */
static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct qemu_audio *audio = userdata;
	bool more = false;

	(void)usec;
	for (; audio->next <= clock_usec(); audio->next += STEP_USEC)
		for (size_t i = 0; i < FAKE_VOICES; i++)
			if (audio->voices[i].at < audio->voices[i].end)
				write_step(audio, &audio->voices[i]);
	for (size_t i = 0; i < FAKE_VOICES; i++)
		more = more || audio->voices[i].at < audio->voices[i].end;
	if (!more)
		say("audio played");
	sd_event_source_set_time(source, audio->next);
	sd_event_source_set_enabled(source, more ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
	return 0;
}

/* voice ID HZ */
static int do_voice(void *userdata, const char *args)
{
	struct qemu_audio *audio = userdata;
	unsigned id, hz;
	struct fake_voice *voice;

	if (!line_scan(args, "uu", &id, &hz) || hz > 192000)
		return -EINVAL;
	voice = voice_of(audio, id);
	if (!voice)
		voice = voice_of(audio, 0);
	if (!voice)
		return -ENOSPC;
	*voice = (struct fake_voice){.id = id, .hz = hz};
	return audio->listener ? tell_init(audio, voice) : 0;
}

/* unvoice ID */
static int do_unvoice(void *userdata, const char *args)
{
	struct qemu_audio *audio = userdata;
	struct fake_voice *voice = voice_of(audio, strtoul(args, NULL, 10));

	if (!voice || !voice->id)
		return -ENOENT;
	tell(audio, "Fini", "t", voice->id);
	*voice = (struct fake_voice){0};
	return 0;
}

/* enable ID 0|1 */
static int do_enable(void *userdata, const char *args)
{
	struct qemu_audio *audio = userdata;
	unsigned id, enabled;
	struct fake_voice *voice;

	if (!line_scan(args, "uu", &id, &enabled) || !(voice = voice_of(audio, id)))
		return -EINVAL;
	voice->enabled = enabled != 0;
	tell(audio, "SetEnabled", "tb", voice->id, voice->enabled);
	return 0;
}

/* volume ID MUTE LEVEL */
static int do_volume(void *userdata, const char *args)
{
	struct qemu_audio *audio = userdata;
	unsigned id, mute, level;

	if (!line_scan(args, "uuu", &id, &mute, &level) || !voice_of(audio, id))
		return -EINVAL;
	return tell(audio, "SetVolume", "tbay", (uint64_t)id, (int)mute, 2, (int)level, (int)level);
}

/* tone ID HZ MS */
static int do_tone(void *userdata, const char *args)
{
	struct qemu_audio *audio = userdata;
	unsigned id, hz, milliseconds;
	struct fake_voice *voice;
	int r = 0;

	if (!line_scan(args, "uuu", &id, &hz, &milliseconds) || !(voice = voice_of(audio, id)))
		return -EINVAL;
	voice->tone_hz = hz;
	voice->at = 0;
	voice->end = (uint64_t)voice->hz * milliseconds / 1000;
	if (!audio->tick)
		r = sd_event_add_time(audio->event, &audio->tick, CLOCK_MONOTONIC, 0, 1, on_tick, audio);
	audio->next = clock_usec();
	if (r >= 0)
		r = sd_event_source_set_time(audio->tick, audio->next);
	return r < 0 ? r : sd_event_source_set_enabled(audio->tick, SD_EVENT_ONESHOT);
}

/* raw-voice ID BITS SIGNED FLOAT HZ CHANNELS BYTES-PER-FRAME */
static int do_raw_voice(void *userdata, const char *args)
{
	struct qemu_audio *audio = userdata;
	unsigned id, bits, sign, floating, hz, channels, bytes;

	if (!line_scan(args, "uuuuuuu", &id, &bits, &sign, &floating, &hz, &channels, &bytes))
		return -EINVAL;
	return tell(audio, "Init", "tybbuyuub", (uint64_t)id, (int)bits, (int)sign, (int)floating, hz, (int)channels,
		    bytes, bytes * hz, 0);
}

/* raw-write ID BYTES */
static int do_raw_write(void *userdata, const char *args)
{
	struct qemu_audio *audio = userdata;
	unsigned id, bytes;
	sd_bus_message *message = NULL;
	void *space;
	int r;

	if (!line_scan(args, "uu", &id, &bytes) || !audio->listener)
		return -EINVAL;
	r = sd_bus_message_new_method_call(audio->listener, &message, NULL, DISPLAY1_AUDIO_OUT_PATH, DISPLAY1_AUDIO_OUT,
					   "Write");
	if (r >= 0)
		r = sd_bus_message_append(message, "t", (uint64_t)id);
	if (r >= 0)
		r = sd_bus_message_append_array_space(message, 'y', bytes, &space);
	if (r >= 0) {
		memset(space, 0x55, bytes);
		r = sd_bus_call_async(audio->listener, NULL, message, on_answer, audio, 0);
	}
	sd_bus_message_unref(message);
	return r;
}

/* evict-audio */
static int do_evict(void *userdata, const char *args)
{
	(void)args;
	qemu_audio_close(userdata);
	return 0;
}

const struct line_command qemu_audio_commands[] = {
    {"voice", do_voice},         {"unvoice", do_unvoice},   {"enable", do_enable},
    {"volume", do_volume},       {"tone", do_tone},         {"raw-voice", do_raw_voice},
    {"raw-write", do_raw_write}, {"evict-audio", do_evict}, {NULL, NULL},
};
