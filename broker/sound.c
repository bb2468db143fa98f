/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/sound.h"

#include "broker/backoff.h"
#include "broker/child.h"
#include "broker/viewer.h"
#include "broker/watch.h"
#include "common/bus.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINGER_USEC (5 * UINT64_C(1000000)) /* without a listener, then the daemon is ended */
#define NAME_SIZE (HOST_DESKTOP_ID_MAX + 8)

struct sound {
	struct desktop *desktop;
	struct child *child; /* NULL: no daemon */
	struct backoff backoff;
	sd_event_source *linger; /* ends the daemon */
	char path[PATH_MAX];
	int listen_fd;    /* -1: an adopted daemon alone has it */
	bool adopting;    /* what ran before this broker is looked for */
	bool on, ending;  /* the daemon is to run; it was told to end */
	bool told, plays; /* the screen was told; that it plays into the daemon */
};

bool sound_is_allowed(const struct desktop *desktop)
{
	struct store *store = desktop->broker->store;
	struct pool pool;
	int r;

	if (!spawn_client_has_sound())
		return false;
	r = store_pool_get(store, desktop->row.pool, &pool);
	if (r < 0)
		log_error("pool %s cannot be read: %s (%s)", desktop->row.pool, strerror(-r), store_message(store));
	return r >= 0 && pool.sound;
}

static int open_socket(const struct sound *sound)
{
	int fd = open(sound->path, O_PATH | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

/* PulseAudio is told the name that its socket says of itself, which is not where it lies by now. */
static int socket_argument(int fd, char *buffer, size_t size)
{
	struct sockaddr_un address = {0};
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return -errno;
	return fs_path(buffer, size,
		       "module-native-protocol-unix socket=\"%.*s\" auth-anonymous=1 auth-cookie-enabled=0"
		       " auth-group-enable=0",
		       (int)sizeof(address.sun_path), address.sun_path);
}

/* A socket that no daemon has yet: whoever had the one before gets this. */
static void listen_anew(struct sound *sound)
{
	const struct desktop *desktop = sound->desktop;

	sound->listen_fd = bus_listen(sound->path, 0666);
	if (sound->listen_fd < 0) {
		log_error("no socket for the sound of %s: %s", desktop->row.id, strerror(-sound->listen_fd));
		sound->listen_fd = -1;
		backoff_pause(&sound->backoff);
		return;
	}
	sound->told = false;
	viewers_sound(sound->desktop);
}

static void free_sound(struct sound *sound)
{
	child_free(sound->child);
	backoff_reset(&sound->backoff);
	sd_event_source_disable_unref(sound->linger);
	closep(&sound->listen_fd);
	sound->desktop->sound = NULL;
	free(sound);
}

static void daemon_up(bool again, void *userdata)
{
	struct sound *sound = userdata;

	(void)again;
	if (!sound->adopting)
		return;
	sound->adopting = false;
	sound->on = true;
	viewers_sound(sound->desktop);
	sound_update(sound->desktop);
}

static void daemon_ended(const struct error *err, void *userdata)
{
	struct sound *sound = userdata;
	bool unexpected = sound->on && !sound->adopting && !sound->ending;

	child_free(sound->child);
	sound->child = NULL;
	sound->adopting = sound->ending = false;
	if (err->code < 0 && err->code != -ESRCH)
		log_error("the sound of %s: %s", sound->desktop->row.id, err->text);
	else if (unexpected)
		log_warning("the PulseAudio of %s ended", sound->desktop->row.id);
	if (unexpected)
		backoff_pause(&sound->backoff);
	if (sound->listen_fd < 0 && sound->desktop->n_viewers > 0)
		listen_anew(sound);
	sound_update(sound->desktop);
}

static const struct child_kind DAEMON = {.kind = SPAWN_SOUND, .up = daemon_up, .ended = daemon_ended};

static int new_child(struct sound *sound)
{
	const struct desktop_row *row = &sound->desktop->row;

	return child_new(sound->desktop->broker, &DAEMON, row->slot, row->id, NULL, sound, &sound->child);
}

static void try_again(void *userdata)
{
	struct sound *sound = userdata;

	if (!sound->child && sound->listen_fd < 0 && sound->desktop->n_viewers > 0)
		listen_anew(sound);
	sound_update(sound->desktop);
}

/* The sockets lie where no other user of this machine comes by. */
static int make_path(struct sound *sound)
{
	const struct desktop *desktop = sound->desktop;
	char name[NAME_SIZE];
	int r = broker_path(desktop->broker, sound->path, sizeof(sound->path), "sound");

	if (r >= 0)
		r = fs_mkdir_p(sound->path, 0700);
	snprintf(name, sizeof(name), "%s.sock", desktop->row.id);
	return r < 0 ? r
		     : fs_path(sound->path, sizeof(sound->path), "%s/broker/sound/%s", desktop->broker->runtime_dir,
			       name);
}

/* A daemon may be there already: of before a restart of the broker. */
static int make_sound(struct desktop *desktop)
{
	struct sound *sound = calloc(1, sizeof(*sound));
	int r;

	if (!sound)
		return -ENOMEM;
	sound->desktop = desktop;
	sound->listen_fd = -1;
	sound->adopting = true;
	sound->backoff = (struct backoff){.broker = desktop->broker, .over = try_again, .userdata = sound};
	r = make_path(sound);
	if (r >= 0)
		r = new_child(sound);
	if (r >= 0)
		r = child_adopt(sound->child);
	if (r < 0) {
		free_sound(sound);
		return r;
	}
	desktop->sound = sound;
	return 0;
}

int sound_socket(struct desktop *desktop)
{
	int r = desktop->sound ? 0 : make_sound(desktop);

	if (r < 0)
		return r;
	return desktop->sound->adopting ? -EAGAIN : open_socket(desktop->sound);
}

static void start_daemon(struct sound *sound)
{
	char protocol[PATH_MAX];
	int r = socket_argument(sound->listen_fd, protocol, sizeof(protocol));
	const char *const argv[] = {"-n", "--daemonize=no", "--use-pid-file=no", "--disable-shm=yes", "--realtime=no",
				    "--high-priority=no", "--disallow-module-loading=yes",
				    /* Should the broker never come back to end it. */
				    "--exit-idle-time=60", "--log-level=error", "-L",
				    "module-null-sink sink_name=vm rate=48000 channels=2 format=s16le", "-L",
				    "module-suspend-on-idle timeout=1", "-L", protocol, NULL};

	if (r >= 0)
		r = new_child(sound);
	if (r >= 0)
		r = child_start(sound->child, argv, &sound->listen_fd, 1);
	if (r < 0) {
		log_error("the PulseAudio of %s cannot be started: %s", sound->desktop->row.id, strerror(-r));
		child_free(sound->child);
		sound->child = NULL;
		backoff_pause(&sound->backoff);
	}
}

/* The sound may be gone by now, the desktop outlives the connection. */
static int screen_answered(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
	const struct desktop *desktop = userdata;
	struct error err = {0};

	(void)ret_error;
	if (!sd_bus_message_is_method_error(reply, NULL))
		return 0;
	bus_reply_error(reply, &err);
	log_warning("the sound of %s: %s", desktop->row.id, err.text);
	if (desktop->sound) {
		desktop->sound->told = false;
		backoff_pause(&desktop->sound->backoff);
	}
	return 0;
}

static void tell_screen(struct sound *sound)
{
	struct child *screen = watch_child(sound->desktop->watch);
	_cleanup_close_ int fd = -1;
	int r;

	if (!child_bus(screen) || sound->backoff.pausing || (sound->told && sound->plays == sound->on))
		return;
	if (!sound->on) {
		r = child_call(screen, screen_answered, sound->desktop, "ClearSound", "");
	} else {
		r = fd = open_socket(sound);
		if (r >= 0)
			r = child_call(screen, screen_answered, sound->desktop, "SetSound", "h", fd);
	}
	sound->told = r >= 0;
	sound->plays = sound->on;
	if (r < 0) {
		log_error("hotdesk-screen of %s cannot be told of sound: %s", sound->desktop->row.id, strerror(-r));
		backoff_pause(&sound->backoff);
	}
}

/* Nobody has listened for a while. It has nothing to save. */
static int end_daemon(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct sound *sound = userdata;

	(void)source;
	(void)usec;
	sound->linger = sd_event_source_disable_unref(sound->linger);
	sound->on = false;
	tell_screen(sound);
	sound->ending = sound->child != NULL;
	if (sound->child)
		child_end(sound->child, true);
	else
		sound_update(sound->desktop);
	return 0;
}

static void nobody_listens(struct sound *sound, uint64_t linger_usec)
{
	if (sound->on && (!sound->linger || linger_usec == 0))
		broker_timer(sound->desktop->broker, &sound->linger, linger_usec, end_daemon, sound);
	else if (!sound->on && !sound->child && sound->desktop->n_viewers == 0) {
		unlink(sound->path);
		free_sound(sound);
	}
}

void sound_update(struct desktop *desktop)
{
	struct sound *sound = desktop->sound;
	bool allowed;

	if (!sound || sound->adopting)
		return;
	allowed = sound_is_allowed(desktop);
	if (!allowed || !viewers_listen(desktop)) {
		tell_screen(sound);
		nobody_listens(sound, allowed ? LINGER_USEC : 0);
		return;
	}
	sound->linger = sd_event_source_disable_unref(sound->linger);
	sound->on = true;
	if (!sound->child && sound->listen_fd >= 0 && !sound->backoff.pausing)
		start_daemon(sound);
	tell_screen(sound);
}

void sound_screen_up(struct desktop *desktop, bool again)
{
	struct sound *sound = desktop->sound;

	if (!sound)
		return;
	sound->told = !again;
	sound->plays = false;
	if (!sound->adopting)
		tell_screen(sound);
}

void sounds_policy(struct desktops *desktops)
{
	for (struct desktop *at = desktops_first(desktops); at; at = at->next) {
		viewers_policy(at);
		sound_update(at);
	}
}

void sound_drop(struct desktop *desktop)
{
	struct sound *sound = desktop->sound;

	if (!sound)
		return;
	if (sound->child)
		child_end(sound->child, true);
	unlink(sound->path);
	free_sound(sound);
}

void sounds_free(struct desktops *desktops)
{
	for (struct desktop *at = desktops_first(desktops); at; at = at->next) {
		if (!at->sound)
			continue;
		if (!at->sound->child)
			unlink(at->sound->path);
		free_sound(at->sound);
	}
}
