/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * fake-qemu-display --fd N | --listen PATH: a QEMU display without QEMU, driven by lines on stdin (README.md).
 */
#include "common/bus.h"
#include "tests/fakes/lines.h"
#include "tests/fakes/qemu_audio.h"
#include "tests/fakes/qemu_display.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)source;
	(void)events;
	if (peer >= 0 && qemu_display_serve(userdata, peer) >= 0)
		say("connected");
	return 0;
}

static int serve(struct qemu_display *display, const char *how, const char *where)
{
	int fd;

	if (strcmp(how, "--fd") == 0)
		return qemu_display_serve(display, (int)strtol(where, NULL, 10));
	if (strcmp(how, "--listen") != 0)
		return -EINVAL;
	fd = bus_listen(where, 0600);
	return fd < 0 ? fd : sd_event_add_io(display->event, NULL, fd, EPOLLIN, on_accept, display);
}

int main(int argc, char **argv)
{
	struct qemu_audio audio = {0};
	struct qemu_display display = {.fd = -1, .audio = &audio};
	int r = argc == 3 ? sd_event_default(&display.event) : -EINVAL;

	audio.event = display.event;
	if (r >= 0)
		r = serve(&display, argv[1], argv[2]);
	if (r >= 0)
		r = lines_serve(display.event, qemu_display_commands, &display);
	if (r >= 0)
		r = lines_serve(display.event, qemu_audio_commands, &audio);
	if (r >= 0)
		say("serving");
	if (r >= 0)
		r = sd_event_loop(display.event);
	if (r < 0)
		fprintf(stderr, "fake-qemu-display: %s\n", strerror(-r));
	qemu_audio_close(&audio);
	sd_event_source_disable_unref(audio.tick);
	qemu_display_free(&display);
	sd_event_unref(display.event);
	return r < 0;
}
