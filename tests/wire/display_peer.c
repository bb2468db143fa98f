/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The broker and the desktop of one hotdesk-display, driven by lines on stdin: display-peer CONTROL_SOCKET
 *   hello | clear | status TITLE|DETAIL|PERCENT FAILED | finish TITLE|DETAIL|MS | state (prints `state SOURCE W H`)
 *   source      gives the display a new connection to the desktop
 *   sound 0|1 SOCKET  whether its viewer may hear the desktop, and the sound daemon's socket
 *   churn 0|1   rewrites the desktop's picture all the time, also without telling
 * what display_peer_clipboard.h lists,
 * and what tests/fakes/README.md lists for the desktop. Prints `lost`, `wanted W H` and `listens 0|1`, and what the
 * desktop is told.
 */
#include "common/bus.h"
#include "common/cleanup.h"
#include "display/viewer/viewer_api.h"
#include "tests/fakes/lines.h"
#include "tests/fakes/qemu_display.h"
#include "tests/wire/display_peer_clipboard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CHURN_USEC 1000
#define CHURN_QUEUED 16 /* messages that the display has not taken yet: then it is not told more */

struct peer {
	struct qemu_display desktop;
	struct peer_clipboard clipboard;
	sd_bus *control;
	sd_event_source *churn;
	uint64_t random;
};

static uint32_t next_random(struct peer *peer)
{
	peer->random = peer->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(peer->random >> 33);
}

/* Few colours here, many there, flat parts: each encoder finds all its cases. */
static uint32_t next_colour(struct peer *peer, uint32_t kind, uint32_t base)
{
	switch (kind) {
	case 0:
		return base;
	case 1:
		return base ^ (next_random(peer) % 2 * 0xffffffu);
	case 2:
		return base + next_random(peer) % 20 * 0x10101u;
	default:
		return next_random(peer);
	}
}

static void scribble(struct peer *peer)
{
	struct qemu_display *desktop = &peer->desktop;
	uint32_t x = next_random(peer) % desktop->width, y = next_random(peer) % desktop->height;
	uint32_t w = 1 + next_random(peer) % (desktop->width - x), h = 1 + next_random(peer) % (desktop->height - y);
	uint32_t kind = next_random(peer) % 4, base = next_random(peer);

	w = w > 200 ? 200 : w;
	h = h > 100 ? 100 : h;
	for (uint32_t row = y; row < y + h; row++)
		for (uint32_t column = x; column < x + w; column++)
			desktop->pixels[(size_t)row * desktop->width + column] = next_colour(peer, kind, base);
	qemu_display_share(desktop, x, y, w, h);
	if (next_random(peer) % 2)
		qemu_display_update(desktop, x, y, w, h);
}

static int on_churn(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct peer *peer = userdata;
	uint64_t queued = 0;

	(void)usec;
	sd_event_source_set_time_relative(source, CHURN_USEC);
	if (!peer->desktop.ready || sd_bus_get_n_queued_write(peer->desktop.listener, &queued) < 0 ||
	    queued > CHURN_QUEUED)
		return 0;
	for (int i = 0; i < 4; i++)
		scribble(peer);
	return 0;
}

static int do_churn(void *userdata, const char *args)
{
	struct peer *peer = userdata;
	int r = sd_event_source_set_enabled(peer->churn, args[0] == '1' ? SD_EVENT_ON : SD_EVENT_OFF);

	if (args[0] != '1')
		qemu_display_update(&peer->desktop, 0, 0, peer->desktop.width, peer->desktop.height);
	return r;
}

static int do_hello(void *userdata, const char *args)
{
	const struct peer *peer = userdata;

	(void)args;
	return sd_bus_call_method(peer->control, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, "Hello", NULL, NULL, "u",
				  VIEWER_API_VERSION);
}

static int do_state(void *userdata, const char *args)
{
	const struct peer *peer = userdata;
	sd_bus_message *reply = NULL;
	uint32_t width, height;
	int source, r = sd_bus_call_method(peer->control, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, "Status", NULL,
					   &reply, "");

	(void)args;
	if (r >= 0)
		r = sd_bus_message_read(reply, "buu", &source, &width, &height);
	if (r >= 0)
		say("state %d %u %u", source, width, height);
	sd_bus_message_unref(reply);
	return r;
}

static int do_clear(void *userdata, const char *args)
{
	const struct peer *peer = userdata;

	(void)args;
	return sd_bus_call_method(peer->control, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, "ClearSource", NULL, NULL,
				  "");
}

static int do_source(void *userdata, const char *args)
{
	struct peer *peer = userdata;
	_cleanup_close_ int theirs = -1;
	int pair[2], r;

	(void)args;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	display1_clipboard_free(peer->clipboard.display);
	peer->clipboard.display = NULL;
	r = qemu_display_serve(&peer->desktop, pair[0]);
	if (r >= 0)
		r = peer_clipboard_serve(&peer->clipboard, peer->desktop.main);
	if (r < 0)
		return r;
	return sd_bus_call_method(peer->control, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, "SetSource", NULL, NULL,
				  "h", theirs);
}

static int do_sound(void *userdata, const char *args)
{
	const struct peer *peer = userdata;
	_cleanup_close_ int fd = -1;

	if (strlen(args) < 3)
		return -EINVAL;
	fd = open(args + 2, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return sd_bus_call_method(peer->control, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, "SetSound", NULL, NULL,
				  "bh", args[0] == '1', fd);
}

struct text {
	char title[512], detail[1024], rest[64];
};

/* TITLE|DETAIL|REST */
static bool text_scan(const char *args, struct text *ret)
{
	return sscanf(args, "%511[^|]|%1023[^|]|%63[^\n]", ret->title, ret->detail, ret->rest) == 3;
}

static int do_status(void *userdata, const char *args)
{
	const struct peer *peer = userdata;
	struct text text;
	int percent, failed;

	if (!text_scan(args, &text) || !line_scan(text.rest, "dd", &percent, &failed))
		return -EINVAL;
	return sd_bus_call_method(peer->control, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, "SetStatus", NULL, NULL,
				  "ssib", text.title, text.detail, percent, failed);
}

static int do_finish(void *userdata, const char *args)
{
	const struct peer *peer = userdata;
	struct text text;
	unsigned linger;

	if (!text_scan(args, &text) || !line_scan(text.rest, "u", &linger))
		return -EINVAL;
	return sd_bus_call_method(peer->control, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, "Close", NULL, NULL,
				  "ssu", text.title, text.detail, linger);
}

static const struct line_command commands[] = {
    {"hello", do_hello},   {"state", do_state}, {"clear", do_clear}, {"status", do_status}, {"finish", do_finish},
    {"source", do_source}, {"churn", do_churn}, {"sound", do_sound}, {NULL, NULL},
};

static int on_signal(sd_bus_message *signal, void *userdata, sd_bus_error *ret_error)
{
	uint32_t width, height;
	int wanted;

	(void)userdata;
	(void)ret_error;
	if (sd_bus_message_is_signal(signal, VIEWER_API_INTERFACE, "SourceLost"))
		say("lost");
	else if (sd_bus_message_read(signal, "b", &wanted) >= 0)
		say("listens %d", wanted);
	else if (sd_bus_message_read(signal, "uu", &width, &height) >= 0)
		say("wanted %u %u", width, height);
	return 0;
}

static int serve(struct peer *peer, const char *control)
{
	sd_event *event = peer->desktop.event;
	int r = bus_connect(event, control, &peer->control);

	if (r >= 0)
		r = sd_bus_match_signal(peer->control, NULL, NULL, VIEWER_API_PATH, VIEWER_API_INTERFACE, NULL,
					on_signal, NULL);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &peer->churn, CLOCK_MONOTONIC, 0, 1, on_churn, peer);
	if (r >= 0)
		r = sd_event_source_set_enabled(peer->churn, SD_EVENT_OFF);
	if (r >= 0)
		r = lines_serve(event, commands, peer);
	if (r >= 0)
		r = lines_serve(event, qemu_display_commands, &peer->desktop);
	if (r >= 0)
		r = lines_serve(event, peer_clipboard_commands, &peer->clipboard);
	return r < 0 ? r : sd_event_loop(event);
}

int main(int argc, char **argv)
{
	struct peer peer = {.desktop.fd = -1, .random = 1};
	int r = argc == 2 ? sd_event_default(&peer.desktop.event) : -EINVAL;

	if (r >= 0)
		r = serve(&peer, argv[1]);
	if (r < 0)
		fprintf(stderr, "display-peer: %s\n", strerror(-r));
	sd_event_source_unref(peer.churn);
	display1_clipboard_free(peer.clipboard.display);
	qemu_display_free(&peer.desktop);
	sd_bus_close_unref(peer.control);
	sd_event_unref(peer.desktop.event);
	return r < 0;
}
