/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The RFB thread: owns libvncserver with one screen and one client, on the inner end of a socketpair. Everything for
 * the viewer comes out of the other end in one order. libvncserver may block in writing there; nobody else waits for
 * it.
 */
#ifndef VIEWER_SERVER_H
#define VIEWER_SERVER_H

#include "common/error.h"
#include "display/viewer/inbox.h"
#include "display/viewer/surface.h"

struct server;

struct server_config {
	const char *name; /* of the desktop, kept */
	int width, height;
	int main_wake_fd; /* an eventfd (kept open by the caller): written when the thread ended or the inbox emptied */
};

/*
 * Makes the client, replays version and security type (the gate has authenticated the viewer) and starts the thread:
 * from here on ClientInit is expected. `surface` outlives the server.
 */
int server_new(const struct server_config *config, struct surface *surface, struct server **ret, struct error *err);

/* Stops the thread, also in the middle of a blocked write. Takes NULL. */
void server_free(struct server *server);

/* The end of the socketpair to read from; the server's, non-blocking. At its end the RFB thread has given up. */
int server_output_fd(const struct server *server);

/* Main thread: gives a message of the filter to the RFB thread. server_crowded: read no more of the viewer for now. */
int server_post(struct server *server, const struct filter_message *message);
bool server_crowded(struct server *server);

/* Main thread: something of the clipboard for the viewer; text: malloced, taken over. What no memory is for is dropped.
 */
void server_send_text(struct server *server, enum inbox_text kind, char *text, size_t size);

/*
 * Main thread: sound for the viewer, whose PCM is copied. What is older than the newest max bytes is dropped, so that a
 * slow viewer's pixels and input do not wait. server_end_sound: silence follows what was given; server_cut_sound: what
 * was given and not sent is dropped. Only a viewer that was allowed sound learns that there is any.
 */
void server_allow_sound(struct server *server, bool allowed);
void server_send_sound(struct server *server, const uint8_t *pcm, size_t size, size_t max);
void server_end_sound(struct server *server);
void server_cut_sound(struct server *server);

/* Main thread: `read` bytes were read from the output fd since the last call, `queued` bytes wait for the viewer. */
void server_output_moved(struct server *server, size_t read, size_t queued);

/* Any thread: look again (the surface has changed). */
void server_wake(struct server *server);

#endif
