/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/server_internal.h"

#include "common/clock.h"
#include "display/viewer/sound_wire.h"

#include <stdlib.h>

/* Bytes on their way through this process below which sound goes out: so few that pixels do not wait for it. */
#define SOUND_SHORT (12u << 10)

/* Whether requests alone tell what has reached the viewer. */
static bool by_requests(const struct server *server)
{
	return !server->pace.answered && !server->continuous;
}

/* What of sound may be on its way: little more than may wait here, or a second where fences come back from far. */
static size_t flow_max(struct server *server)
{
	size_t waiting = atomic_load(&server->sound_max);

	return by_requests(server) ? waiting / 2 * 3 : waiting * 5;
}

void server_sound_update(struct server *server)
{
	if (by_requests(server))
		sound_flow_marked(&server->flow, clock_usec());
}

void server_sound_fence(struct server *server, uint32_t number)
{
	if (sound_flow_marked(&server->flow, clock_usec()))
		server->flow_fence = number;
}

static bool sound_open(struct server *server)
{
	return server_unsent(server) < SOUND_SHORT && pace_half_open(&server->pace, server_written(server)) &&
	       sound_flow_open(&server->flow, flow_max(server), clock_usec());
}

/* As update.c's output_ready: asked before the second look, so that no wake-up is lost. */
static bool sound_ready(struct server *server)
{
	if (sound_open(server))
		return true;
	atomic_store(&server->wants_output, true);
	return sound_open(server);
}

static void send_end(struct server *server)
{
	uint8_t end[SOUND_HEADER_MAX];

	if (sound_queue_ended(&server->sound))
		server_send(server, end, sound_header(end, SOUND_END, 0));
}

static bool send_next(struct server *server)
{
	struct sound_item *item = sound_queue_take(&server->sound);
	bool sent = item && server_send(server, item->message, item->size);

	if (sent)
		sound_flow_sent(&server->flow, item->size);
	free(item);
	return sent;
}

void server_sound_step(struct server *server)
{
	bool sent = false;

	send_end(server);
	while (sound_queue_waits(&server->sound) && sound_ready(server) && send_next(server)) {
		sent = true;
		send_end(server);
	}
	/* One fence, or rectangle without pixels, at a time tells how fast sound gets there, where pixels do not. */
	if (by_requests(server) && (server->features & FEATURE_QEMU_KEY))
		server->key_due |= sound_flow_asks(&server->flow, flow_max(server));
	if (sent && server->pace.pinged == server->pace.acked)
		update_ping(server);
}

void server_allow_sound(struct server *server, bool allowed)
{
	atomic_store(&server->sound_allowed, allowed);
	server_wake(server);
}

void server_send_sound(struct server *server, const uint8_t *pcm, size_t size, size_t max)
{
	atomic_store(&server->sound_max, max);
	sound_queue_push(&server->sound, pcm, size, max);
	server_wake(server);
}

void server_end_sound(struct server *server)
{
	sound_queue_end(&server->sound);
	server_wake(server);
}

void server_cut_sound(struct server *server)
{
	sound_queue_cut(&server->sound);
	server_wake(server);
}
