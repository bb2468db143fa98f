/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vdagent_peer.h"

#include <errno.h>
#include <unistd.h>

#define PEER_TEXT_MAX ((size_t)16 << 20)

void vdagent_peer_new(struct vdagent_peer *peer, int fd)
{
	*peer = (struct vdagent_peer){.fd = fd};
	vdagent_parser_init(&peer->parser, PEER_TEXT_MAX);
}

void vdagent_peer_clear(struct vdagent_peer *peer)
{
	vdagent_parser_reset(&peer->parser);
	close(peer->fd);
}

static void take(struct vdagent_peer *peer, const struct vdagent_message *message)
{
	peer->type = message->type;
	assert_false(message->skipped);
	if (message->type == VD_AGENT_ANNOUNCE_CAPABILITIES)
		assert_int_equal(vdagent_read_announce(message, &peer->request, &peer->caps), 0);
	else
		assert_int_equal(vdagent_read_clipboard(message, PEER_CAPS, &peer->what), 0);
}

/* A message has come, or the end. */
static bool has_heard(void *userdata)
{
	struct vdagent_peer *peer = userdata;

	for (;;) {
		struct vdagent_message message;
		ssize_t n;

		while (peer->at < peer->size) {
			size_t used = 0;
			int r =
			    vdagent_feed(&peer->parser, peer->bytes + peer->at, peer->size - peer->at, &used, &message);

			assert_true(r >= 0);
			peer->at += used;
			if (r > 0) {
				take(peer, &message);
				return true;
			}
		}
		n = read(peer->fd, peer->bytes, sizeof(peer->bytes));
		peer->ended = n == 0 || (n < 0 && errno != EAGAIN);
		if (n <= 0)
			return peer->ended;
		peer->at = 0;
		peer->size = (size_t)n;
	}
}

void vdagent_peer_hear(struct x_world *world, struct vdagent_peer *peer, uint32_t type)
{
	x_world_run(world, "a message", has_heard, peer);
	assert_false(peer->ended);
	assert_int_equal(peer->type, type);
}

void vdagent_peer_hear_end(struct x_world *world, struct vdagent_peer *peer)
{
	x_world_run(world, "the end", has_heard, peer);
	assert_true(peer->ended);
}

struct writing {
	int fd;
	const char *data;
	size_t left;
};

static bool is_written(void *userdata)
{
	struct writing *writing = userdata;

	while (writing->left > 0) {
		ssize_t n = write(writing->fd, writing->data, writing->left);

		if (n < 0)
			return false;
		writing->data += n;
		writing->left -= (size_t)n;
	}
	return true;
}

void vdagent_peer_write(struct x_world *world, const struct vdagent_peer *peer, const void *data, size_t size)
{
	struct writing writing = {.fd = peer->fd, .data = data, .left = size};

	x_world_run(world, "room for what is said", is_written, &writing);
}

static void peer_send(struct x_world *world, const struct vdagent_peer *peer, struct vdagent_buffer *buffer)
{
	vdagent_peer_write(world, peer, buffer->data, buffer->size);
	free(buffer->data);
}

void vdagent_peer_announce(struct x_world *world, struct vdagent_peer *peer, bool request, uint32_t caps)
{
	struct vdagent_buffer buffer = {0};

	assert_int_equal(vdagent_write_announce(&buffer, request, caps), 0);
	peer_send(world, peer, &buffer);
}

void vdagent_peer_say(struct x_world *world, struct vdagent_peer *peer, uint32_t type,
		      const struct vdagent_clipboard *what)
{
	struct vdagent_buffer buffer = {0};

	assert_int_equal(vdagent_write_clipboard(&buffer, type, PEER_CAPS, what), 0);
	peer_send(world, peer, &buffer);
}

void vdagent_peer_grab(struct x_world *world, struct vdagent_peer *peer, uint32_t selection, uint32_t serial)
{
	const struct vdagent_clipboard grab = {
	    .selection = selection, .serial = serial, .type = VD_AGENT_CLIPBOARD_UTF8_TEXT};

	vdagent_peer_say(world, peer, VD_AGENT_CLIPBOARD_GRAB, &grab);
}

void vdagent_peer_request(struct x_world *world, struct vdagent_peer *peer, uint32_t selection)
{
	const struct vdagent_clipboard request = {.selection = selection, .type = VD_AGENT_CLIPBOARD_UTF8_TEXT};

	vdagent_peer_say(world, peer, VD_AGENT_CLIPBOARD_REQUEST, &request);
}

void vdagent_peer_text(struct x_world *world, struct vdagent_peer *peer, uint32_t selection, const char *text,
		       size_t size)
{
	const struct vdagent_clipboard answer = {.selection = selection,
						 .type = text ? VD_AGENT_CLIPBOARD_UTF8_TEXT : VD_AGENT_CLIPBOARD_NONE,
						 .data = (const uint8_t *)text,
						 .size = size};

	vdagent_peer_say(world, peer, VD_AGENT_CLIPBOARD, &answer);
}

void vdagent_peer_hear_text(struct x_world *world, struct vdagent_peer *peer, uint32_t selection, const char *text,
			    size_t size)
{
	vdagent_peer_hear(world, peer, VD_AGENT_CLIPBOARD);
	assert_int_equal(peer->what.selection, selection);
	assert_int_equal(peer->what.type, text ? VD_AGENT_CLIPBOARD_UTF8_TEXT : VD_AGENT_CLIPBOARD_NONE);
	assert_int_equal(peer->what.size, text ? size : 0);
	if (text)
		assert_memory_equal(peer->what.data, text, size);
}
