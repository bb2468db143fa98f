/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/cut_text.h"

#include "common/text.h"
#include "display/viewer/rfb_wire.h"

#include <stdlib.h>
#include <string.h>

#define HEADER 8 /* type, padding, length */
#define UNZIP_SIZE 16384
#define GROWTH_MIN 4096

void cut_text_reader_init(struct cut_text_reader *reader, size_t text_max)
{
	memset(reader, 0, sizeof(*reader));
	reader->text_max = text_max;
}

void cut_text_reader_done(struct cut_text_reader *reader)
{
	if (reader->unzipping)
		inflateEnd(&reader->stream);
	free(reader->data);
	cut_text_reader_init(reader, reader->text_max);
}

/* With CRLF line ends and a NUL a text is longer on its way; a character of Latin-1 becomes two bytes. */
static size_t wire_max(const struct cut_text_reader *reader)
{
	return 2 * reader->text_max + 1;
}

static void add_bytes(struct cut_text_reader *reader, const uint8_t *data, size_t size)
{
	if (size > wire_max(reader) - reader->size) {
		reader->too_long = true;
		return;
	}
	if (reader->size + size > reader->room) {
		size_t room = reader->size + size > 2 * reader->room ? reader->size + size : 2 * reader->room;
		char *fresh = realloc(reader->data, room < GROWTH_MIN ? GROWTH_MIN : room);

		if (!fresh) {
			reader->broken = true;
			return;
		}
		reader->data = fresh;
		reader->room = room < GROWTH_MIN ? GROWTH_MIN : room;
	}
	memcpy(reader->data + reader->size, data, size);
	reader->size += size;
}

/* Takes bytes up to the head's four; how many. */
static size_t add_head(struct cut_text_reader *reader, const uint8_t *data, size_t size)
{
	size_t n = sizeof(reader->head) - reader->have < size ? sizeof(reader->head) - reader->have : size;

	memcpy(reader->head + reader->have, data, n);
	reader->have += n;
	return n;
}

/* Of what was unzipped only the text is of interest: its length and bytes come first. */
static void add_unzipped(struct cut_text_reader *reader, const uint8_t *data, size_t size)
{
	if (!reader->length_known) {
		size_t n = add_head(reader, data, size);

		data += n;
		size -= n;
		if (reader->have < sizeof(reader->head))
			return;
		reader->length_known = true;
		reader->length = get_u32(reader->head);
		reader->too_long = reader->length > wire_max(reader);
	}
	if (size > reader->length - reader->size)
		size = reader->length - reader->size;
	if (size && !reader->too_long)
		add_bytes(reader, data, size);
}

static bool text_done(const struct cut_text_reader *reader)
{
	return reader->broken || reader->too_long || (reader->length_known && reader->size == reader->length);
}

static void unzip(struct cut_text_reader *reader, const uint8_t *data, size_t size)
{
	uint8_t out[UNZIP_SIZE];
	int r = Z_OK;

	reader->stream.next_in = (uint8_t *)(uintptr_t)data; /* zlib only reads it */
	reader->stream.avail_in = (uInt)size;
	while (!text_done(reader) && r == Z_OK) {
		reader->stream.next_out = out;
		reader->stream.avail_out = sizeof(out);
		r = inflate(&reader->stream, Z_SYNC_FLUSH);
		add_unzipped(reader, out, sizeof(out) - reader->stream.avail_out);
	}
	/* Z_BUF_ERROR: all of it was used. An end of the stream is no end of the viewer; what is behind a whole text is
	 * not looked at. */
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR && !text_done(reader))
		reader->broken = true;
}

static void read_begin(struct cut_text_reader *reader, bool extended, size_t total)
{
	cut_text_reader_done(reader);
	reader->extended = extended;
	reader->too_long = !extended && total > reader->text_max;
}

/* Caps name all actions. */
static bool provides(uint32_t flags)
{
	return (flags & (CUT_PROVIDE | CUT_CAPS)) == CUT_PROVIDE;
}

static void read_flags(struct cut_text_reader *reader)
{
	reader->flags = get_u32(reader->head);
	reader->flags_known = true;
	reader->have = 0;
	if (provides(reader->flags) && (reader->flags & CUT_FORMAT_TEXT)) {
		reader->unzipping = inflateInit(&reader->stream) == Z_OK;
		reader->broken = !reader->unzipping;
	}
}

static void read_part(struct cut_text_reader *reader, const uint8_t *data, size_t size)
{
	if (!reader->extended) {
		if (!text_done(reader) && size)
			add_bytes(reader, data, size);
		return;
	}
	if (!reader->flags_known) {
		size_t n = add_head(reader, data, size);

		data += n;
		size -= n;
		if (reader->have == sizeof(reader->head))
			read_flags(reader);
	}
	if (reader->unzipping && size)
		unzip(reader, data, size);
}

/* The bytes are Latin-1: each above 127 becomes two. */
static char *from_latin1(const char *data, size_t size, size_t *ret_size)
{
	char *text = malloc(2 * size + 1);
	size_t at = 0;

	for (size_t i = 0; text && i < size; i++) {
		unsigned char byte = (unsigned char)data[i];

		if (byte >= 0x80)
			text[at++] = (char)(0xc0 | byte >> 6);
		text[at++] = (char)(byte < 0x80 ? byte : 0x80 | (byte & 0x3f));
	}
	*ret_size = at;
	return text;
}

/* CRLF to LF in its place; the new size. */
static size_t to_lf(char *text, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < size; i++)
		if (text[i] != '\r' || i + 1 == size || text[i + 1] != '\n')
			text[at++] = text[i];
	return at;
}

static struct cut_text_message read_end(struct cut_text_reader *reader)
{
	struct cut_text_message message = {.kind = CUT_TEXT_NONE, .flags = reader->flags};
	size_t size = reader->size;

	if (reader->extended && !provides(reader->flags)) {
		message.kind = reader->flags ? CUT_TEXT_ACTION : CUT_TEXT_NONE;
		return message;
	}
	if (reader->too_long) {
		message.kind = CUT_TEXT_TOO_LONG;
		return message;
	}
	if (reader->broken || (reader->extended && !(reader->length_known && size == reader->length)))
		return message;
	if (!reader->extended) {
		message.text = from_latin1(reader->data, size, &size);
	} else {
		message.text = reader->data ? reader->data : calloc(1, 1);
		reader->data = NULL;
	}
	if (!message.text)
		return message;
	while (size > 0 && message.text[size - 1] == '\0')
		size--;
	text_mend(message.text, size);
	message.size = to_lf(message.text, size);
	message.kind = message.size > reader->text_max ? CUT_TEXT_TOO_LONG : CUT_TEXT_TEXT;
	if (message.kind == CUT_TEXT_TOO_LONG) {
		free(message.text);
		message.text = NULL;
		message.size = 0;
	}
	return message;
}

struct cut_text_message cut_text_read(struct cut_text_reader *reader, bool first, bool last, bool extended,
				      size_t total, const uint8_t *data, size_t size)
{
	struct cut_text_message message = {.kind = CUT_TEXT_NONE};

	if (first)
		read_begin(reader, extended, total);
	read_part(reader, data, size);
	if (last) {
		message = read_end(reader);
		cut_text_reader_done(reader);
	}
	return message;
}

static void put_header(uint8_t *to, uint32_t length)
{
	memset(to, 0, 4);
	to[0] = SERVER_CUT_TEXT;
	put_u32(to + 4, length);
}

size_t cut_text_action(uint8_t to[static CUT_TEXT_ACTION_SIZE], uint32_t flags)
{
	uint32_t size = flags & CUT_CAPS ? 8 : 4;

	put_header(to, -size);
	put_u32(to + HEADER, flags);
	put_u32(to + HEADER + 4, 0); /* caps: bytes of a text that may come unasked */
	return HEADER + size;
}

static bool zip_part(z_stream *stream, const void *data, size_t size, int flush)
{
	if (size == 0)
		return true; /* for zlib an error */
	stream->next_in = (uint8_t *)(uintptr_t)data;
	stream->avail_in = (uInt)size;
	return deflate(stream, flush) == Z_OK && stream->avail_in == 0;
}

/* The text with CRLF line ends and a NUL. */
static bool zip_text(z_stream *stream, const char *text, size_t size)
{
	size_t lines = 0;
	uint8_t length[4];

	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	put_u32(length, (uint32_t)(size + lines + 1));
	if (!zip_part(stream, length, sizeof(length), Z_NO_FLUSH))
		return false;
	while (size > 0) {
		const char *end = memchr(text, '\n', size);
		size_t n = end ? (size_t)(end - text) : size;

		if (!zip_part(stream, text, n, Z_NO_FLUSH) || (end && !zip_part(stream, "\r\n", 2, Z_NO_FLUSH)))
			return false;
		n += end != NULL;
		text += n;
		size -= n;
	}
	/* As other servers do: viewers take the end of a stream for the end of the connection. */
	return zip_part(stream, "", 1, Z_SYNC_FLUSH);
}

uint8_t *cut_text_provide(const char *text, size_t size, size_t *ret_size)
{
	z_stream stream = {0};
	size_t room;
	uint8_t *message;

	if (deflateInit(&stream, Z_BEST_SPEED) != Z_OK)
		return NULL;
	room = HEADER + 4 + deflateBound(&stream, 2 * size + 5) + 16;
	message = malloc(room);
	if (message) {
		stream.next_out = message + HEADER + 4;
		stream.avail_out = (uInt)(room - HEADER - 4);
		if (zip_text(&stream, text, size)) {
			*ret_size = room - stream.avail_out;
			put_header(message, -(uint32_t)(*ret_size - HEADER));
			put_u32(message + HEADER, CUT_PROVIDE | CUT_FORMAT_TEXT);
		} else {
			free(message);
			message = NULL;
		}
	}
	deflateEnd(&stream);
	return message;
}

uint8_t *cut_text_latin1(const char *text, size_t size, size_t *ret_size)
{
	uint8_t *message = malloc(HEADER + size);
	size_t at = HEADER;

	if (!message)
		return NULL;
	for (size_t n; size > 0; text += n, size -= n) {
		uint32_t point = 0;

		n = text_decode(text, size, &point);
		message[at++] = n > 0 && point < 0x100 ? (uint8_t)point : '?';
		n = n > 0 ? n : 1;
	}
	put_header(message, (uint32_t)(at - HEADER));
	*ret_size = at;
	return message;
}
