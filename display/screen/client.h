/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One hotdesk-display: served QEMU's own org.qemu.Display1 on its socket. Damage waits here, coalesced, while the
 * display has not answered the last update: a slow one costs no memory and no time. What it has pressed is released
 * when it goes.
 */
#ifndef SCREEN_CLIENT_H
#define SCREEN_CLIENT_H

#include "display/screen/clipboard.h"
#include "display/screen/framebuffer.h"

#include <systemd/sd-event.h>

struct client;

struct client_cursor {
	int width, height, hot_x, hot_y;
	uint8_t *argb; /* width * height * 4 bytes */
};

struct client_ops {
	void (*key)(uint32_t key, bool down, void *userdata);
	void (*button)(uint32_t button, bool down, void *userdata);
	void (*position)(uint32_t x, uint32_t y, void *userdata);
	void (*motion)(int dx, int dy, void *userdata);
	void (*ui_info)(uint32_t width, uint32_t height, void *userdata);
	/* It registered a listener, which has answered: hand it the picture, the cursor and the pointer. */
	void (*listens)(struct client *client, void *userdata);
	/* The connection ended: free the client. Called from the loop, never from inside another call of this module.
	 */
	void (*gone)(struct client *client, void *userdata);
};

/* fd: taken over, also on failure. The clipboard outlives the client, which is one of its displays. */
int client_new(sd_event *event, int fd, struct clipboard *clipboard, const struct client_ops *ops, void *userdata,
	       struct client **ret);
/* Releases what it has pressed. Takes NULL. */
void client_free(struct client *client);

/* Whether the display holds it down. */
bool client_holds_key(const struct client *client, uint32_t key);
bool client_holds_button(const struct client *client, uint32_t button);

/* The framebuffer (kept by the caller until another is given or it is withdrawn); NULL: the desktop has no picture now.
 */
void client_show(struct client *client, const struct framebuffer *framebuffer);
/* The framebuffer is about to go. The display is told nothing and keeps the last picture until the next client_show. */
void client_withdraw(struct client *client);
void client_damage(struct client *client, struct region_rect rect);
/* Borrowed during the call. */
void client_cursor(struct client *client, const struct client_cursor *cursor);
void client_mouse(struct client *client, int x, int y, bool on);

#endif
