/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/vdagent.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX ((size_t)64 * 1024)
#define ALL_CAPS                                                                                                       \
	(VDAGENT_CAP(CLIPBOARD_BY_DEMAND) | VDAGENT_CAP(CLIPBOARD_SELECTION) | VDAGENT_CAP(CLIPBOARD_GRAB_SERIAL))

struct world {
	struct vdagent_parser parser;
	struct vdagent_buffer buffer;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	vdagent_parser_init(&world->parser, TEXT_MAX);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	vdagent_parser_reset(&world->parser);
	free(world->buffer.data);
	free(world);
	return 0;
}

/* Feeds what waits in pieces of `step` bytes up to the next message; -1: there is none. */
static int next_message(struct world *world, size_t step, struct vdagent_message *ret)
{
	struct vdagent_buffer *from = &world->buffer;

	while (from->at < from->size) {
		size_t left = from->size - from->at, used = 0;
		int r = vdagent_feed(&world->parser, from->data + from->at, left < step ? left : step, &used, ret);

		from->at += used;
		if (r != 0)
			return r;
	}
	return -1;
}

static void put_raw(struct world *world, const void *bytes, size_t size)
{
	struct vdagent_buffer *to = &world->buffer;

	to->data = realloc(to->data, to->size + size);
	memcpy(to->data + to->size, bytes, size);
	to->size += size;
	to->room = to->size;
}

static void put_header(struct world *world, uint32_t port, uint32_t type, uint32_t size)
{
	const VDIChunkHeader chunk = {port, sizeof(VDAgentMessage) + size};
	const VDAgentMessage message = {VD_AGENT_PROTOCOL, type, 0, size};

	put_raw(world, &chunk, sizeof(chunk));
	put_raw(world, &message, sizeof(message));
}

static void clipboard_messages_come_out_as_they_went_in(void **state)
{
	static const uint32_t all_caps[] = {0, VDAGENT_CAP(CLIPBOARD_SELECTION), ALL_CAPS};
	static const size_t steps[] = {1, 7, 4096};
	struct world *world = *state;
	uint8_t *text = malloc(TEXT_MAX);

	for (size_t i = 0; i < TEXT_MAX; i++)
		text[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < 9; i++) {
		uint32_t caps = all_caps[i / 3];
		const struct vdagent_clipboard grab = {.selection = caps ? 1 : 0,
						       .serial = caps == ALL_CAPS ? 77 : 0,
						       .type = VD_AGENT_CLIPBOARD_UTF8_TEXT},
					       data = {.selection = grab.selection,
						       .type = VD_AGENT_CLIPBOARD_UTF8_TEXT,
						       .data = text,
						       .size = TEXT_MAX};
		struct vdagent_clipboard got;
		struct vdagent_message message;

		assert_int_equal(vdagent_write_clipboard(&world->buffer, VD_AGENT_CLIPBOARD_GRAB, caps, &grab), 0);
		assert_int_equal(vdagent_write_clipboard(&world->buffer, VD_AGENT_CLIPBOARD, caps, &data), 0);
		assert_int_equal(vdagent_write_clipboard(&world->buffer, VD_AGENT_CLIPBOARD_RELEASE, caps, &grab), 0);
		assert_int_equal(next_message(world, steps[i % 3], &message), 1);
		assert_int_equal(message.type, VD_AGENT_CLIPBOARD_GRAB);
		assert_int_equal(vdagent_read_clipboard(&message, caps, &got), 0);
		assert_int_equal(got.selection, grab.selection);
		assert_int_equal(got.serial, grab.serial);
		assert_int_equal(got.type, VD_AGENT_CLIPBOARD_UTF8_TEXT);
		assert_int_equal(next_message(world, steps[i % 3], &message), 1);
		assert_int_equal(vdagent_read_clipboard(&message, caps, &got), 0);
		assert_int_equal(got.size, TEXT_MAX);
		assert_memory_equal(got.data, text, TEXT_MAX);
		assert_int_equal(next_message(world, steps[i % 3], &message), 1);
		assert_int_equal(vdagent_read_clipboard(&message, caps, &got), 0);
		assert_int_equal(next_message(world, 1, &message), -1);
	}
	free(text);
}

static void chunks_are_never_longer_than_old_agents_take(void **state)
{
	struct world *world = *state;
	static const uint8_t text[(size_t)3 * VD_AGENT_MAX_DATA_SIZE];
	const struct vdagent_clipboard what = {
	    .type = VD_AGENT_CLIPBOARD_UTF8_TEXT, .data = text, .size = sizeof(text)};
	unsigned chunks = 0;

	assert_int_equal(vdagent_write_clipboard(&world->buffer, VD_AGENT_CLIPBOARD, ALL_CAPS, &what), 0);
	for (size_t at = 0; at < world->buffer.size; chunks++) {
		VDIChunkHeader chunk;

		memcpy(&chunk, world->buffer.data + at, sizeof(chunk));
		assert_int_equal(chunk.port, VDP_CLIENT_PORT);
		assert_in_range(chunk.size, 1, VD_AGENT_MAX_DATA_SIZE);
		at += sizeof(chunk) + chunk.size;
	}
	assert_int_equal(chunks, 4);
}

static void what_a_header_promises_takes_no_memory(void **state)
{
	struct world *world = *state;
	struct vdagent_message message;

	put_header(world, VDP_CLIENT_PORT, VD_AGENT_CLIPBOARD, TEXT_MAX);
	put_raw(world, "abcdef", 6);
	assert_int_equal(next_message(world, 4096, &message), -1);
	assert_true(world->parser.parts[0].room <= 4096);
}

static void a_text_that_is_too_long_is_skipped_and_the_next_message_is_read(void **state)
{
	struct world *world = *state;
	static const uint8_t text[TEXT_MAX + 32];
	const struct vdagent_clipboard what = {
	    .type = VD_AGENT_CLIPBOARD_UTF8_TEXT, .data = text, .size = sizeof(text)};
	struct vdagent_clipboard got;
	struct vdagent_message message;

	vdagent_write_clipboard(&world->buffer, VD_AGENT_CLIPBOARD, ALL_CAPS, &what);
	vdagent_write_announce(&world->buffer, true, ALL_CAPS);
	assert_int_equal(next_message(world, 4096, &message), 1);
	assert_int_equal(message.type, VD_AGENT_CLIPBOARD);
	assert_true(message.skipped);
	assert_null(message.data);
	assert_int_equal(vdagent_read_clipboard(&message, ALL_CAPS, &got), -EBADMSG);
	assert_int_equal(next_message(world, 4096, &message), 1);
	assert_int_equal(message.type, VD_AGENT_ANNOUNCE_CAPABILITIES);
	assert_true(world->parser.parts[0].room <= 4096);
}

static void a_limit_that_changes_counts_from_the_next_message(void **state)
{
	struct world *world = *state;
	struct vdagent_message message;

	put_header(world, VDP_CLIENT_PORT, VD_AGENT_CLIPBOARD, TEXT_MAX);
	put_raw(world, "abcdef", 6);
	world->parser.text_max = 0;
	assert_int_equal(next_message(world, 4096, &message), -1);
	world->parser.text_max = TEXT_MAX;
	for (size_t left = TEXT_MAX - 6; left > 0; left--)
		put_raw(world, "g", 1);
	assert_int_equal(next_message(world, 4096, &message), 1);
	assert_true(message.skipped);
	assert_null(message.data);
}

static void unknown_messages_are_skipped(void **state)
{
	struct world *world = *state;
	struct vdagent_message message;
	uint32_t caps;
	bool request;

	put_header(world, VDP_SERVER_PORT, 4711, 5);
	put_raw(world, "abcde", 5);
	put_header(world, VDP_CLIENT_PORT, VD_AGENT_ANNOUNCE_CAPABILITIES, 2); /* shorter than it can be */
	put_raw(world, "ab", 2);
	put_header(world, VDP_CLIENT_PORT, VD_AGENT_ANNOUNCE_CAPABILITIES, 4); /* of an agent that can nothing */
	put_raw(world, "\1\0\0\0", 4);
	assert_int_equal(next_message(world, 3, &message), 1);
	assert_int_equal(message.type, 4711);
	assert_true(message.skipped);
	assert_int_equal(next_message(world, 3, &message), 1);
	assert_int_equal(vdagent_read_announce(&message, &request, &caps), -EBADMSG);
	assert_int_equal(next_message(world, 3, &message), 1);
	assert_int_equal(vdagent_read_announce(&message, &request, &caps), 0);
	assert_true(request);
	assert_int_equal(caps, 0);
}

static void what_is_not_the_protocol_ends_it(void **state)
{
	static const VDAgentMessage wrong = {2, VD_AGENT_REPLY, 0, 8};
	static const VDIChunkHeader chunk = {VDP_CLIENT_PORT, sizeof(wrong)}, port = {3, 1};
	struct world *world = *state;
	struct vdagent_message message;

	put_raw(world, &chunk, sizeof(chunk));
	put_raw(world, &wrong, sizeof(wrong));
	assert_int_equal(next_message(world, 4096, &message), -EPROTO);
	vdagent_parser_reset(&world->parser);
	world->buffer.at = world->buffer.size = 0;
	put_raw(world, &port, sizeof(port));
	assert_int_equal(next_message(world, 4096, &message), -EPROTO);
}

static void two_ports_do_not_mix(void **state)
{
	static const VDAgentMessage reply = {VD_AGENT_PROTOCOL, VD_AGENT_REPLY, 0, 8};
	static const VDIChunkHeader half = {VDP_CLIENT_PORT, 10};
	const VDIChunkHeader rest = {VDP_CLIENT_PORT, sizeof(reply) - 10 + 8};
	struct world *world = *state;
	struct vdagent_message message;

	put_raw(world, &half, sizeof(half));
	put_raw(world, &reply, 10);
	put_header(world, VDP_SERVER_PORT, VD_AGENT_ANNOUNCE_CAPABILITIES, 4);
	put_raw(world, "\0\0\0\0", 4);
	put_raw(world, &rest, sizeof(rest));
	put_raw(world, (const uint8_t *)&reply + 10, sizeof(reply) - 10);
	put_raw(world, "abcdefgh", 8);
	assert_int_equal(next_message(world, 5, &message), 1);
	assert_int_equal(message.type, VD_AGENT_ANNOUNCE_CAPABILITIES);
	assert_int_equal(next_message(world, 5, &message), 1);
	assert_int_equal(message.type, VD_AGENT_REPLY);
	assert_memory_equal(message.data, "abcdefgh", 8);
}

static void selections_that_nobody_has_are_refused(void **state)
{
	struct world *world = *state;
	const struct vdagent_clipboard what = {.selection = 2, .type = VD_AGENT_CLIPBOARD_UTF8_TEXT};
	struct vdagent_clipboard got;
	struct vdagent_message message;

	vdagent_write_clipboard(&world->buffer, VD_AGENT_CLIPBOARD_REQUEST, ALL_CAPS, &what);
	assert_int_equal(next_message(world, 4096, &message), 1);
	assert_int_equal(vdagent_read_clipboard(&message, ALL_CAPS, &got), -EBADMSG);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(clipboard_messages_come_out_as_they_went_in, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(chunks_are_never_longer_than_old_agents_take, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_a_header_promises_takes_no_memory, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_text_that_is_too_long_is_skipped_and_the_next_message_is_read, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(a_limit_that_changes_counts_from_the_next_message, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(unknown_messages_are_skipped, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_is_not_the_protocol_ends_it, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(two_ports_do_not_mix, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(selections_that_nobody_has_are_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
