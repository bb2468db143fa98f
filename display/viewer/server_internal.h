/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What server.c (the thread, its messages), server_sound.c and update.c (what is sent, and when) share. Only the RFB
 * thread uses it. */
#ifndef VIEWER_SERVER_INTERNAL_H
#define VIEWER_SERVER_INTERNAL_H

#include "display/viewer/inbox.h"
#include "display/viewer/pace.h"
#include "display/viewer/rects.h"
#include "display/viewer/scene.h"
#include "display/viewer/server.h"
#include "display/viewer/sound_flow.h"
#include "display/viewer/sound_queue.h"

#include <rfb/rfb.h>
#include <stdatomic.h>

struct server {
	struct surface *surface;
	struct inbox inbox;
	struct sound_queue sound;
	const char *name;
	int wake_fd, main_wake_fd;
	int outer; /* the main thread's end of the socketpair */
	pthread_t thread;
	bool started;
	atomic_bool stop, wants_output, sound_allowed;
	atomic_size_t queued, sound_max;
	atomic_uint_fast64_t moved; /* bytes the main thread took */

	rfbScreenInfoPtr screen;
	rfbClientPtr client;
	uint32_t *framebuffer; /* what the viewer has, but for the client's modifiedRegion */
	struct surface_state state;
	struct letterbox box;
	struct tiles stale; /* of the view: to be compared */
	unsigned cursor_serial, warp_serial, banner_serial;
	struct rect drawn_pointer, drawn_banner;

	uint32_t features;
	bool whole_wanted; /* a request that is not incremental: answered in one update */
	bool continuous;
	struct filter_area continuous_area;
	bool size_due, key_due, sound_due, name_due, cursor_due, pointer_due;
	enum size_reason size_reason;
	enum size_result size_result;
	bool size_asked; /* a SetDesktopSize waits for the guest to follow */
	uint64_t size_deadline;
	int next_line; /* where the next band begins */
	struct pace pace;
	struct sound_flow flow;
	uint32_t flow_fence; /* whose echo tells it, where the viewer has fences */
};

/* All bytes written towards the viewer so far. */
uint64_t server_written(struct server *server);
/* Of them, those that have not left this process. */
size_t server_unsent(struct server *server);
bool server_send(struct server *server, const void *data, size_t size);

/* Notes that what was sent will be answered: by a request, or by the echo of a fence. */
void server_sound_update(struct server *server);
void server_sound_fence(struct server *server, uint32_t number);
/* Sends what there is of sound, as far as there is room for it. */
void server_sound_step(struct server *server);

/* x8r8g8b8 in this machine's order, the source's: libvncserver starts with another after each change of framebuffer. */
void update_format(rfbScreenInfoPtr screen);

/* Sets the framebuffer to the picture's size before ServerInit tells it. */
void update_begin(struct server *server);

/* Sends at most one update; true when something was sent, so that it is worth asking again. */
bool update_step(struct server *server);

void update_features(struct server *server, uint32_t features);
void update_requested(struct server *server, const struct filter_message *request);
void update_continuous(struct server *server, const struct filter_message *message);
void update_size_asked(struct server *server, const struct filter_message *message);
void update_ping(struct server *server);

/* Microseconds until update_step has something to do by the clock, or -1. */
int64_t update_wait(const struct server *server);

#endif
