/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One watched desktop: its source (QEMU), its framebuffer, and the displays that show it. */
#ifndef SCREEN_SCREEN_H
#define SCREEN_SCREEN_H

#include "display/screen/client.h"

struct screen;

struct screen_ops {
	void (*source_lost)(void *userdata);
	/* The first pixels after a screen_set_source are in the framebuffer. */
	void (*picture)(int width, int height, void *userdata);
	/* The number of displays changed. */
	void (*displays)(unsigned n, void *userdata);
	struct clipboard_ops clipboard;
};

int screen_new(sd_event *event, const struct screen_ops *ops, void *userdata, struct screen **ret);
void screen_free(struct screen *screen);

/* fds are taken over, also on failure. */
int screen_set_source(struct screen *screen, int fd);
int screen_add_display(struct screen *screen, int fd);
int screen_set_vdagent(struct screen *screen, int fd);

/* fd: O_PATH, of PulseAudio's socket. */
int screen_set_sound(struct screen *screen, int fd);
void screen_clear_sound(struct screen *screen);

/* As clipboard_set_policy. */
void screen_set_clipboard(struct screen *screen, uint32_t allowed, uint32_t max_bytes);

struct screen_status {
	bool source;       /* QEMU is connected */
	int width, height; /* 0: no picture */
	unsigned displays;
};

struct screen_status screen_status(const struct screen *screen);

#endif
