/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/screen/audio.h"

#include "common/bus.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "display/display1.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FIRST_USEC UINT64_C(100000)
#define MAX_USEC UINT64_C(3200000)
#define QUEUE_MAX 4096 /* answers that QEMU has not taken */

struct audio {
	sd_event *event;
	sd_bus *bus, *own;
	sd_bus_slot *gone, *asking; /* Ping, then RegisterOutListener */
	sd_event_source *again;
	uint64_t pause;
	unsigned registered; /* how often */
	const struct audio_ops *ops;
	void *userdata;
};

static int answer(sd_bus_message *message, int r, sd_bus_error *ret_error)
{
	if (r < 0)
		return sd_bus_error_set_errnof(ret_error, r, "%s: %s", sd_bus_message_get_member(message),
					       strerror(-r));
	return sd_bus_reply_method_return(message, NULL);
}

static int on_init(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const struct audio *audio = userdata;
	struct audio_format format = {0};
	int is_signed, is_float, big_endian;
	uint32_t bytes_per_second;
	uint64_t id;
	int r = sd_bus_message_read(message, "tybbuyuub", &id, &format.bits, &is_signed, &is_float, &format.hz,
				    &format.channels, &format.bytes_per_frame, &bytes_per_second, &big_endian);

	if (r >= 0) {
		format.is_signed = is_signed;
		format.is_float = is_float;
		format.big_endian = big_endian;
		audio->ops->init(id, &format, audio->userdata);
	}
	return answer(message, r, ret_error);
}

static int on_fini(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const struct audio *audio = userdata;
	uint64_t id;
	int r = sd_bus_message_read(message, "t", &id);

	if (r >= 0)
		audio->ops->fini(id, audio->userdata);
	return answer(message, r, ret_error);
}

static int on_enabled(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const struct audio *audio = userdata;
	int enabled;
	uint64_t id;
	int r = sd_bus_message_read(message, "tb", &id, &enabled);

	if (r >= 0)
		audio->ops->enabled(id, enabled != 0, audio->userdata);
	return answer(message, r, ret_error);
}

static int on_volume(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const struct audio *audio = userdata;
	const void *levels;
	size_t n;
	uint64_t id;
	int mute, r = sd_bus_message_read(message, "tb", &id, &mute);

	if (r >= 0)
		r = sd_bus_message_read_array(message, 'y', &levels, &n);
	if (r >= 0 && n > AUDIO_CHANNELS_MAX)
		r = -E2BIG;
	if (r >= 0)
		audio->ops->volume(id, mute != 0, levels, n, audio->userdata);
	return answer(message, r, ret_error);
}

static int on_write(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const struct audio *audio = userdata;
	const void *data;
	size_t size;
	uint64_t id;
	int r = sd_bus_message_read(message, "t", &id);

	if (r >= 0)
		r = sd_bus_message_read_array(message, 'y', &data, &size);
	if (r >= 0 && size > AUDIO_WRITE_MAX)
		r = -E2BIG;
	if (r >= 0)
		audio->ops->write(id, data, size, audio->userdata);
	return answer(message, r, ret_error);
}

static int get_interfaces(sd_bus *bus, const char *path, const char *interface, const char *property,
			  sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	(void)bus, (void)path, (void)interface, (void)property, (void)userdata, (void)ret_error;
	return sd_bus_message_append(reply, "as", 0);
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Init", "tybbuyuub", "", on_init, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Fini", "t", "", on_fini, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetEnabled", "tb", "", on_enabled, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetVolume", "tbay", "", on_volume, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Write", "tay", "", on_write, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("Interfaces", "as", get_interfaces, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_VTABLE_END,
};

static void again_later(struct audio *audio)
{
	sd_event_source_set_time_relative(audio->again, audio->pause);
	sd_event_source_set_enabled(audio->again, SD_EVENT_ONESHOT);
	audio->pause = audio->pause > MAX_USEC / 2 ? MAX_USEC : 2 * audio->pause;
}

static int on_gone(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct audio *audio = userdata;

	(void)message;
	(void)ret_error;
	audio->ops->gone(audio->userdata);
	again_later(audio);
	return 0;
}

/* A QEMU that takes no answers is not answered. */
static int filter(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	uint64_t queued = 0;

	(void)userdata;
	(void)ret_error;
	return sd_bus_get_n_queued_write(sd_bus_message_get_bus(message), &queued) >= 0 && queued > QUEUE_MAX;
}

/* QEMU refuses a second listener, for which it takes this one until it has seen the end of the one before. */
static int on_registered(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct audio *audio = userdata;

	(void)ret_error;
	if (!sd_bus_message_is_method_error(reply, NULL)) {
		audio->pause = FIRST_USEC;
		return 0;
	}
	log_debug("QEMU takes no listener for its sound: %s", sd_bus_message_get_error(reply)->message);
	again_later(audio);
	return 0;
}

static void drop_own(struct audio *audio)
{
	audio->asking = sd_bus_slot_unref(audio->asking);
	audio->gone = sd_bus_slot_unref(audio->gone);
	audio->own = sd_bus_close_unref(audio->own);
}

static int serve_own(struct audio *audio, int fd)
{
	int r = bus_client_fd(audio->event, fd, &audio->own);

	if (r >= 0)
		r = sd_bus_add_filter(audio->own, NULL, filter, audio);
	if (r >= 0)
		r = sd_bus_add_object_vtable(audio->own, NULL, DISPLAY1_AUDIO_OUT_PATH, DISPLAY1_AUDIO_OUT, vtable,
					     audio);
	return r < 0 ? r : bus_on_disconnect(audio->own, on_gone, audio, &audio->gone);
}

/*
 * QEMU up to 7.2 knows its listeners by who called, also where there is no bus that would say so, and crashes without a
 * name. Later ones have one name for all of such a connection.
 */
static int ask_qemu(struct audio *audio, int fd)
{
	sd_bus_message *call = NULL;
	char sender[32];
	int r = sd_bus_message_new_method_call(audio->bus, &call, NULL, DISPLAY1_AUDIO_PATH, DISPLAY1_AUDIO,
					       "RegisterOutListener");

	snprintf(sender, sizeof(sender), ":1.%u", ++audio->registered);
	if (r >= 0)
		r = sd_bus_message_set_sender(call, sender);
	if (r >= 0)
		r = sd_bus_message_append(call, "h", fd);
	if (r >= 0)
		r = sd_bus_call_async(audio->bus, &audio->asking, call, on_registered, audio, 0);
	sd_bus_message_unref(call);
	return r;
}

/* It is started before it is registered: QEMU authenticates it inside the call, in its main loop. */
static int register_listener(struct audio *audio)
{
	_cleanup_close_ int theirs = -1;
	int ends[2], r;

	drop_own(audio);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	theirs = ends[1];
	r = serve_own(audio, ends[0]);
	if (r >= 0)
		r = ask_qemu(audio, theirs);
	return r < 0 ? r : 0;
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	if (register_listener(userdata) < 0)
		again_later(userdata);
	return 0;
}

static int on_pong(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	struct audio *audio = userdata;

	(void)ret_error;
	if (sd_bus_message_is_method_error(reply, NULL))
		log_debug("QEMU does not answer: %s", sd_bus_message_get_error(reply)->message);
	else if (register_listener(audio) < 0)
		again_later(audio);
	return 0;
}

int audio_new(sd_event *event, sd_bus *bus, const struct audio_ops *ops, void *userdata, struct audio **ret)
{
	struct audio *audio = calloc(1, sizeof(*audio));
	int r;

	if (!audio)
		return -ENOMEM;
	audio->event = sd_event_ref(event);
	audio->bus = bus;
	audio->ops = ops;
	audio->userdata = userdata;
	audio->pause = FIRST_USEC;
	r = sd_event_add_time(event, &audio->again, CLOCK_MONOTONIC, 0, 1, on_again, audio);
	if (r >= 0)
		r = sd_event_source_set_enabled(audio->again, SD_EVENT_OFF);
	/* sd-bus waits when it is given an fd before the peer has answered. */
	if (r >= 0)
		r = sd_bus_call_method_async(bus, &audio->asking, NULL, DISPLAY1_AUDIO_PATH,
					     "org.freedesktop.DBus.Peer", "Ping", on_pong, audio, "");
	if (r < 0) {
		audio_free(audio);
		return r;
	}
	*ret = audio;
	return 0;
}

void audio_free(struct audio *audio)
{
	if (!audio)
		return;
	drop_own(audio);
	sd_event_source_disable_unref(audio->again);
	sd_event_unref(audio->event);
	free(audio);
}
