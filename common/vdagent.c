/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/vdagent.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_MAX 4096u /* of a message that carries no text */
#define GROWTH_MIN 4096u
#define HEAD_MAX 16u /* of what stands before a text */
#define MONITOR_DEPTH 32

/* Of the types that are read here; all others are skipped. */
static const struct {
	uint32_t type, least;
	bool text;
} kinds[] = {
    {VD_AGENT_MOUSE_STATE, 13, false},
    {VD_AGENT_MONITORS_CONFIG, 8, false},
    {VD_AGENT_REPLY, 8, false},
    {VD_AGENT_CLIPBOARD, 4, true},
    {VD_AGENT_CLIPBOARD_GRAB, 0, false},
    {VD_AGENT_CLIPBOARD_REQUEST, 4, false},
    {VD_AGENT_CLIPBOARD_RELEASE, 0, false},
    {VD_AGENT_ANNOUNCE_CAPABILITIES, 4, false},
};

static bool size_allowed(const struct vdagent_parser *parser, const VDAgentMessage *header)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].type == header->type)
			return header->size >= kinds[i].least &&
			       header->size <= (kinds[i].text ? parser->text_max + HEAD_MAX : SMALL_MAX);
	return false;
}

void vdagent_parser_init(struct vdagent_parser *parser, size_t text_max)
{
	memset(parser, 0, sizeof(*parser));
	parser->text_max = text_max;
}

void vdagent_parser_reset(struct vdagent_parser *parser)
{
	for (size_t i = 0; i < sizeof(parser->parts) / sizeof(parser->parts[0]); i++)
		free(parser->parts[i].body);
	vdagent_parser_init(parser, parser->text_max);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Once for the whole message: text_max may change before its end. */
static int part_header(const struct vdagent_parser *parser, struct vdagent_part *part)
{
	part->header.protocol = le32toh(part->header.protocol);
	part->header.type = le32toh(part->header.type);
	part->header.size = le32toh(part->header.size);
	part->skip = !size_allowed(parser, &part->header);
	return part->header.protocol == VD_AGENT_PROTOCOL ? 0 : -EPROTO;
}

/* Room for `size` bytes of a body; what a header promises is not believed. */
static int part_grow(struct vdagent_part *part, size_t size)
{
	size_t room = 2 * part->room > size ? 2 * part->room : size;
	uint8_t *body;

	if (part->body && size <= part->room)
		return 0;
	room = least(room < GROWTH_MIN ? GROWTH_MIN : room, part->header.size);
	body = realloc(part->body, room);
	if (!body)
		return -ENOMEM;
	part->body = body;
	part->room = room;
	return 0;
}

/* Takes bytes of the chunk; 1: the message is whole. */
static int part_feed(const struct vdagent_parser *parser, struct vdagent_part *part, const uint8_t *data, size_t size,
		     size_t *used)
{
	size_t n = 0, body;
	int r;

	if (part->have < sizeof(part->header)) {
		n = least(size, sizeof(part->header) - part->have);
		memcpy((uint8_t *)&part->header + part->have, data, n);
		part->have += n;
		*used = n;
		if (part->have < sizeof(part->header))
			return 0;
		r = part_header(parser, part);
		if (r < 0)
			return r;
	}
	body = part->have - sizeof(part->header);
	n = least(size - *used, part->header.size - body);
	if (n && !part->skip) {
		r = part_grow(part, body + n);
		if (r < 0)
			return r;
		memcpy(part->body + body, data + *used, n);
	}
	part->have += n;
	*used += n;
	return body + n == part->header.size;
}

/* A long body is not kept for the next message, which is most often a short one. */
static void part_begin(struct vdagent_part *part)
{
	part->have = 0;
	part->whole = false;
	if (part->room > GROWTH_MIN) {
		free(part->body);
		part->body = NULL;
		part->room = 0;
	}
}

static int chunk_header(struct vdagent_parser *parser, const uint8_t *data, size_t size, size_t *used)
{
	size_t n = least(size, sizeof(parser->chunk) - parser->have);

	memcpy((uint8_t *)&parser->chunk + parser->have, data, n);
	parser->have += n;
	*used += n;
	if (parser->have < sizeof(parser->chunk))
		return 0;
	parser->chunk.port = le32toh(parser->chunk.port);
	parser->chunk.size = le32toh(parser->chunk.size);
	if (parser->chunk.port < VDP_CLIENT_PORT || parser->chunk.port >= VDP_END_PORT)
		return -EPROTO;
	return 0;
}

int vdagent_feed(struct vdagent_parser *parser, const uint8_t *data, size_t size, size_t *used,
		 struct vdagent_message *ret)
{
	*used = 0;
	while (*used < size) {
		struct vdagent_part *part;
		size_t n = 0;
		int r;

		if (parser->have < sizeof(parser->chunk)) {
			r = chunk_header(parser, data + *used, size - *used, used);
			if (r < 0)
				return r;
			continue;
		}
		part = &parser->parts[parser->chunk.port - VDP_CLIENT_PORT];
		if (part->whole)
			part_begin(part);
		r = part_feed(parser, part, data + *used, least(size - *used, parser->chunk.size), &n);
		if (r < 0)
			return r;
		*used += n;
		parser->chunk.size -= (uint32_t)n;
		if (parser->chunk.size == 0)
			parser->have = 0;
		if (r > 0) {
			ret->type = part->header.type;
			ret->skipped = part->skip;
			ret->data = ret->skipped ? NULL : part->body;
			ret->size = ret->skipped ? 0 : part->header.size;
			part->whole = true;
			return 1;
		}
	}
	return 0;
}

bool vdagent_unfinished(const struct vdagent_parser *parser)
{
	bool unfinished = parser->have > 0;

	for (size_t i = 0; i < sizeof(parser->parts) / sizeof(parser->parts[0]); i++)
		unfinished |= parser->parts[i].have > 0 && !parser->parts[i].whole;
	return unfinished;
}

static uint32_t get_le32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static void put_le32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

struct cursor {
	const uint8_t *at;
	size_t left;
	bool short_of;
};

static uint32_t take_le32(struct cursor *cursor)
{
	uint32_t value;

	if (cursor->left < 4) {
		cursor->short_of = true;
		return 0;
	}
	value = get_le32(cursor->at);
	cursor->at += 4;
	cursor->left -= 4;
	return value;
}

static uint32_t grab_type(struct cursor *cursor)
{
	while (cursor->left >= 4)
		if (take_le32(cursor) == VD_AGENT_CLIPBOARD_UTF8_TEXT)
			return VD_AGENT_CLIPBOARD_UTF8_TEXT;
	return VD_AGENT_CLIPBOARD_NONE;
}

int vdagent_read_clipboard(const struct vdagent_message *message, uint32_t caps, struct vdagent_clipboard *ret)
{
	struct cursor cursor = {message->data, message->size, message->skipped};

	memset(ret, 0, sizeof(*ret));
	if (caps & VDAGENT_CAP(CLIPBOARD_SELECTION))
		ret->selection = take_le32(&cursor) & 0xff; /* a byte, and three reserved ones */
	if (message->type == VD_AGENT_CLIPBOARD_GRAB) {
		if (caps & VDAGENT_CAP(CLIPBOARD_GRAB_SERIAL))
			ret->serial = take_le32(&cursor);
		ret->type = grab_type(&cursor);
	} else if (message->type != VD_AGENT_CLIPBOARD_RELEASE) {
		ret->type = take_le32(&cursor);
	}
	if (message->type == VD_AGENT_CLIPBOARD) {
		ret->data = cursor.at;
		ret->size = cursor.left;
	}
	return cursor.short_of || ret->selection >= VDAGENT_SELECTIONS ? -EBADMSG : 0;
}

int vdagent_read_announce(const struct vdagent_message *message, bool *request, uint32_t *caps)
{
	struct cursor cursor = {message->data, message->size, message->skipped};

	*request = take_le32(&cursor) != 0;
	*caps = cursor.left >= 4 ? take_le32(&cursor) : 0;
	return cursor.short_of ? -EBADMSG : 0;
}

/* Room for so many bytes behind what waits; what was sent makes room first. */
static uint8_t *buffer_grow(struct vdagent_buffer *buffer, size_t size)
{
	uint8_t *at;

	if (buffer->at == buffer->size)
		buffer->at = buffer->size = 0;
	if (size > buffer->room - buffer->size) {
		size_t room = buffer->size + size > 2 * buffer->room ? buffer->size + size : 2 * buffer->room;
		uint8_t *data = realloc(buffer->data, room);

		if (!data)
			return NULL;
		buffer->data = data;
		buffer->room = room;
	}
	at = buffer->data + buffer->size;
	buffer->size += size;
	return at;
}

/* One after the other what both parts give, as if they were one. */
static size_t copy_parts(uint8_t *to, size_t size, const struct cursor *parts, size_t from)
{
	size_t done = 0;

	for (size_t i = 0; i < 3; i++) {
		size_t n = from < parts[i].left ? least(parts[i].left - from, size - done) : 0;

		if (n)
			memcpy(to + done, parts[i].at + from, n);
		done += n;
		from = n ? 0 : from - least(from, parts[i].left);
	}
	return done;
}

static int write_message(struct vdagent_buffer *to, uint32_t type, const uint8_t *head, size_t head_size,
			 const uint8_t *body, size_t body_size)
{
	const VDAgentMessage header = {.protocol = htole32(VD_AGENT_PROTOCOL),
				       .type = htole32(type),
				       .size = htole32((uint32_t)(head_size + body_size))};
	const struct cursor parts[3] = {
	    {(const uint8_t *)&header, sizeof(header), false}, {head, head_size, false}, {body, body_size, false}};
	size_t total = sizeof(header) + head_size + body_size, most = VD_AGENT_MAX_DATA_SIZE;
	uint8_t *at = buffer_grow(to, total + (total + most - 1) / most * sizeof(VDIChunkHeader));

	if (!at)
		return -ENOMEM;
	for (size_t done = 0, n; done < total; done += n) {
		n = least(total - done, most);
		put_le32(at, VDP_CLIENT_PORT);
		put_le32(at + 4, (uint32_t)n);
		copy_parts(at + sizeof(VDIChunkHeader), n, parts, done);
		at += sizeof(VDIChunkHeader) + n;
	}
	return 0;
}

int vdagent_write_clipboard(struct vdagent_buffer *to, uint32_t message, uint32_t caps,
			    const struct vdagent_clipboard *what)
{
	uint8_t head[HEAD_MAX];
	size_t size = 0;

	if (caps & VDAGENT_CAP(CLIPBOARD_SELECTION)) {
		put_le32(head, what->selection);
		size += 4;
	}
	if (message == VD_AGENT_CLIPBOARD_GRAB && (caps & VDAGENT_CAP(CLIPBOARD_GRAB_SERIAL))) {
		put_le32(head + size, what->serial);
		size += 4;
	}
	if (message != VD_AGENT_CLIPBOARD_RELEASE) {
		put_le32(head + size, what->type);
		size += 4;
	}
	return write_message(to, message, head, size, what->data, message == VD_AGENT_CLIPBOARD ? what->size : 0);
}

int vdagent_write_announce(struct vdagent_buffer *to, bool request, uint32_t caps)
{
	uint8_t body[8];

	put_le32(body, request);
	put_le32(body + 4, caps);
	return write_message(to, VD_AGENT_ANNOUNCE_CAPABILITIES, body, sizeof(body), NULL, 0);
}

int vdagent_write_monitor(struct vdagent_buffer *to, uint32_t width, uint32_t height)
{
	uint8_t body[sizeof(VDAgentMonitorsConfig) + sizeof(VDAgentMonConfig)] = {0};

	put_le32(body, 1);
	put_le32(body + 8, height);
	put_le32(body + 12, width);
	put_le32(body + 16, MONITOR_DEPTH);
	return write_message(to, VD_AGENT_MONITORS_CONFIG, body, sizeof(body), NULL, 0);
}

int vdagent_write_mouse(struct vdagent_buffer *to, uint32_t x, uint32_t y, uint32_t buttons)
{
	uint8_t body[sizeof(VDAgentMouseState)] = {0};

	put_le32(body, x);
	put_le32(body + 4, y);
	put_le32(body + 8, buttons);
	return write_message(to, VD_AGENT_MOUSE_STATE, body, sizeof(body), NULL, 0);
}
