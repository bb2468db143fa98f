/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/sound.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "display/pulse_link.h"

#include <errno.h>
#include <fcntl.h>
#include <pulse/pulseaudio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SINK_MONITOR "vm.monitor"
#define FRAGMENT_MS 20
#define QUEUE_MS 200      /* how far a viewer may be behind */
#define HUSH_USEC 500000  /* of silence: then the viewer's stream ends, so that its player need not run dry */
#define RETRY_USEC 500000 /* when the daemon has no such sink yet */
#define FRAGMENT_MAX 8192 /* bytes; the largest format's FRAGMENT_MS */

struct sound {
	sd_event *event;
	struct server *server;
	void (*wanted)(bool wanted, void *userdata);
	void *userdata;
	bool listed, enabled, allowed; /* by the viewer, by the viewer, by the broker */
	bool on;                       /* all of them */
	bool sounding;                 /* less than HUSH_USEC of silence */
	struct sound_format format;
	int socket_fd;
	struct pulse_link *link;
	pa_context *context; /* the link's, while it is up */
	pa_stream *stream;
	sd_event_source *hush, *retry;
};

static void stream_make(struct sound *sound);

/* -- what is recorded -----------------------------------------------------------------------------------------------*/

static int on_hush(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct sound *sound = userdata;

	(void)source;
	(void)usec;
	sound->sounding = false;
	server_end_sound(sound->server);
	return 0;
}

/* Starts a timer again, or for the first time. */
static int timer_arm(struct sound *sound, sd_event_source **timer, uint64_t usec, sd_event_time_handler_t handler)
{
	int r;

	if (!*timer)
		return sd_event_add_time_relative(sound->event, timer, CLOCK_MONOTONIC, usec, 0, handler, sound);
	r = sd_event_source_set_time_relative(*timer, usec);
	return r < 0 ? r : sd_event_source_set_enabled(*timer, SD_EVENT_ONESHOT);
}

static void timer_stop(sd_event_source *timer)
{
	if (timer)
		sd_event_source_set_enabled(timer, SD_EVENT_OFF);
}

static void take_fragment(struct sound *sound, const uint8_t *pcm, size_t size)
{
	uint8_t converted[FRAGMENT_MAX];

	if (!sound_silent(sound_recorded(sound->format.sample), pcm, size))
		sound->sounding = timer_arm(sound, &sound->hush, HUSH_USEC, on_hush) >= 0;
	if (!sound->sounding)
		return;
	memcpy(converted, pcm, size);
	sound_convert(sound->format.sample, converted, size);
	server_send_sound(sound->server, converted, size, sound_bytes(&sound->format, QUEUE_MS));
}

static void on_read(pa_stream *stream, size_t readable, void *userdata)
{
	struct sound *sound = userdata;
	size_t most = sound_bytes(&sound->format, FRAGMENT_MS), size;
	const void *data;

	(void)readable;
	while (pa_stream_peek(stream, &data, &size) >= 0 && size > 0) {
		/* No data: a hole that the daemon left. */
		for (size_t at = 0; data && at < size; at += most)
			take_fragment(sound, (const uint8_t *)data + at, size - at < most ? size - at : most);
		pa_stream_drop(stream);
	}
}

/* -- the daemon -----------------------------------------------------------------------------------------------------*/

static void stream_drop(struct sound *sound)
{
	pa_stream *stream = sound->stream;

	timer_stop(sound->retry);
	sound->stream = NULL;
	if (!stream)
		return;
	pa_stream_set_read_callback(stream, NULL, NULL);
	pa_stream_set_state_callback(stream, NULL, NULL);
	(void)pa_stream_disconnect(stream);
	pa_stream_unref(stream);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct sound *sound = userdata;

	(void)source;
	(void)usec;
	stream_drop(sound);
	stream_make(sound);
	return 0;
}

static void stream_again(struct sound *sound)
{
	log_debug("recording %s: %s", SINK_MONITOR, pa_strerror(pa_context_errno(sound->context)));
	if (timer_arm(sound, &sound->retry, RETRY_USEC, on_retry) < 0)
		log_warning("the viewer stays without sound: %s", strerror(ENOMEM));
}

static void on_state(pa_stream *stream, void *userdata)
{
	if (!PA_STREAM_IS_GOOD(pa_stream_get_state(stream)))
		stream_again(userdata);
}

static pa_sample_format_t recorded_as(const struct sound_format *format)
{
	switch (sound_recorded(format->sample)) {
	case SOUND_U8:
		return PA_SAMPLE_U8;
	case SOUND_S16:
		return PA_SAMPLE_S16LE;
	default:
		return PA_SAMPLE_S32LE;
	}
}

static void stream_make(struct sound *sound)
{
	const struct sound_format *format = &sound->format;
	const pa_sample_spec spec = {recorded_as(format), format->rate, format->channels};
	const pa_buffer_attr buffer = {.maxlength = (uint32_t)sound_bytes(format, QUEUE_MS),
				       .tlength = UINT32_MAX,
				       .prebuf = UINT32_MAX,
				       .minreq = UINT32_MAX,
				       .fragsize = (uint32_t)sound_bytes(format, FRAGMENT_MS)};

	sound->stream = pa_stream_new(sound->context, "viewer", &spec, NULL);
	if (!sound->stream) {
		stream_again(sound);
		return;
	}
	pa_stream_set_read_callback(sound->stream, on_read, sound);
	pa_stream_set_state_callback(sound->stream, on_state, sound);
	/* A monitor that nobody plays into may sleep, listened to or not. */
	if (pa_stream_connect_record(sound->stream, SINK_MONITOR, &buffer,
				     PA_STREAM_ADJUST_LATENCY | PA_STREAM_DONT_MOVE |
					 PA_STREAM_DONT_INHIBIT_AUTO_SUSPEND) < 0)
		stream_again(sound);
}

static void link_up(pa_context *context, void *userdata)
{
	struct sound *sound = userdata;

	sound->context = context;
	stream_make(sound);
}

static void link_down(void *userdata)
{
	struct sound *sound = userdata;

	stream_drop(sound);
	sound->context = NULL;
}

static const struct pulse_link_ops link_ops = {link_up, link_down};

static void link_stop(struct sound *sound)
{
	stream_drop(sound);
	sound->context = NULL;
	pulse_link_free(sound->link);
	sound->link = NULL;
	timer_stop(sound->hush);
	sound->sounding = false;
	server_cut_sound(sound->server);
}

static void link_start(struct sound *sound)
{
	int fd = fcntl(sound->socket_fd, F_DUPFD_CLOEXEC, 3);
	int r = fd < 0 ? -errno : pulse_link_new(sound->event, fd, "hotdesk-display", &link_ops, sound, &sound->link);

	if (r < 0)
		log_warning("the viewer stays without sound: %s", strerror(-r));
}

/* -- who wants it ---------------------------------------------------------------------------------------------------*/

static void sound_update(struct sound *sound)
{
	bool on = sound->listed && sound->enabled && sound->allowed;

	if (on == sound->on)
		return;
	sound->on = on;
	if (on)
		link_start(sound);
	else
		link_stop(sound);
	sound->wanted(on, sound->userdata);
}

void sound_features(struct sound *sound, uint32_t features)
{
	sound->listed = (features & FEATURE_SOUND) != 0;
	sound_update(sound);
}

static void set_format(struct sound *sound, const struct sound_format *format)
{
	if (sound_format_same(&sound->format, format))
		return;
	sound->format = *format;
	if (!sound->on)
		return;
	stream_drop(sound);
	timer_stop(sound->hush);
	sound->sounding = false;
	server_cut_sound(sound->server);
	if (sound->context)
		stream_make(sound);
}

void sound_heard(struct sound *sound, const struct filter_message *message)
{
	if (message->flags == SOUND_FORMAT) {
		set_format(sound, &message->sound);
		return;
	}
	sound->enabled = message->flags == SOUND_ENABLE;
	sound_update(sound);
}

static bool same_socket(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

void sound_set(struct sound *sound, bool allowed, int socket_fd)
{
	bool on = sound->on, same = sound->socket_fd >= 0 && same_socket(sound->socket_fd, socket_fd);

	closep(same ? &socket_fd : &sound->socket_fd);
	if (!same)
		sound->socket_fd = socket_fd;
	sound->allowed = allowed;
	server_allow_sound(sound->server, allowed);
	sound_update(sound);
	if (!on || !sound->on)
		return;
	if (!same) {
		link_stop(sound);
		link_start(sound);
	}
	sound->wanted(true, sound->userdata);
}

int sound_new(sd_event *event, struct server *server, void (*wanted)(bool wanted, void *userdata), void *userdata,
	      struct sound **ret)
{
	struct sound *sound = calloc(1, sizeof(*sound));

	if (!sound)
		return -ENOMEM;
	sound->event = sd_event_ref(event);
	sound->server = server;
	sound->wanted = wanted;
	sound->userdata = userdata;
	sound->format = SOUND_FORMAT_DEFAULT;
	sound->socket_fd = -1;
	*ret = sound;
	return 0;
}

void sound_free(struct sound *sound)
{
	if (!sound)
		return;
	link_stop(sound);
	sd_event_source_disable_unref(sound->hush);
	sd_event_source_disable_unref(sound->retry);
	closep(&sound->socket_fd);
	sd_event_unref(sound->event);
	free(sound);
}
