/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/rects.h"

#include "common/cleanup.h"

#include <stdlib.h>
#include <string.h>

#define UPDATE_HEADER 4
#define OPAQUE_ENOUGH 128 /* alpha from which a pixel is shown where there is only a mask */
#define NAME_BYTES_MAX 1024

void rects_done(struct rects *rects)
{
	free(rects->data);
	memset(rects, 0, sizeof(*rects));
}

/* Room for `size` zeroed bytes at the end, or NULL. */
static uint8_t *rects_grow(struct rects *rects, size_t size)
{
	uint8_t *at;

	if (!rects->size)
		rects->size = UPDATE_HEADER;
	if (!rects->failed && rects->size + size > rects->room) {
		size_t room = rects->size + size + 1024;
		uint8_t *data = realloc(rects->data, room);

		rects->failed = !data;
		if (data) {
			rects->data = data;
			rects->room = room;
		}
	}
	if (rects->failed)
		return NULL;
	at = rects->data + rects->size;
	memset(at, 0, size);
	rects->size += size;
	return at;
}

/* A rectangle's header with `body` bytes behind it; returns the body (NULL when it failed). */
static uint8_t *rects_add(struct rects *rects, int x, int y, int w, int h, int32_t encoding, size_t body)
{
	uint8_t *at = rects_grow(rects, 12 + body);

	if (!at)
		return NULL;
	put_u16(at, (uint16_t)x);
	put_u16(at + 2, (uint16_t)y);
	put_u16(at + 4, (uint16_t)w);
	put_u16(at + 6, (uint16_t)h);
	put_u32(at + 8, (uint32_t)encoding);
	rects->count++;
	return at + 12;
}

void rects_announce(struct rects *rects, int32_t encoding)
{
	rects_add(rects, 0, 0, 0, 0, encoding, 0);
}

void rects_name(struct rects *rects, const char *name)
{
	size_t length = strnlen(name, NAME_BYTES_MAX);
	uint8_t *body = rects_add(rects, 0, 0, 0, 0, ENCODING_DESKTOP_NAME, 4 + length);

	if (!body)
		return;
	put_u32(body, (uint32_t)length);
	memcpy(body + 4, name, length);
}

void rects_size(struct rects *rects, int width, int height)
{
	rects_add(rects, 0, 0, width, height, ENCODING_DESKTOP_SIZE, 0);
}

void rects_ext_size(struct rects *rects, enum size_reason reason, enum size_result result, int width, int height)
{
	uint8_t *body = rects_add(rects, (int)reason, (int)result, width, height, ENCODING_EXT_DESKTOP_SIZE, 4 + 16);

	if (!body)
		return;
	body[0] = 1; /* one screen, id 0, over all of it */
	put_u16(body + 4 + 8, (uint16_t)width);
	put_u16(body + 4 + 10, (uint16_t)height);
}

void rects_pointer(struct rects *rects, int x, int y)
{
	rects_add(rects, x, y, 0, 0, ENCODING_POINTER_POS, 0);
}

void rects_cursor_alpha(struct rects *rects, const struct cursor *cursor)
{
	size_t n = cursor ? (size_t)cursor->width * (size_t)cursor->height : 0;
	uint8_t *body = cursor ? rects_add(rects, cursor->hot_x, cursor->hot_y, cursor->width, cursor->height,
					   ENCODING_CURSOR_ALPHA, 4 + 4 * n)
			       : rects_add(rects, 0, 0, 0, 0, ENCODING_CURSOR_ALPHA, 4);

	if (!body)
		return;
	put_u32(body, ENCODING_RAW);
	for (size_t i = 0; i < n; i++) { /* R, G, B, A in memory, premultiplied */
		uint32_t pixel = cursor->argb[i];

		put_u32(body + 4 + 4 * i, pixel << 8 | pixel >> 24);
	}
}

static bool pixel_shown(uint32_t argb)
{
	return argb >> 24 >= OPAQUE_ENOUGH;
}

/* Without the alpha it was multiplied by. */
static uint32_t pixel_plain(uint32_t argb)
{
	uint32_t alpha = argb >> 24, pixel = 0;

	if (!pixel_shown(argb))
		return 0;
	for (int shift = 0; shift < 24; shift += 8) {
		uint32_t channel = (argb >> shift & 0xff) * 255 / alpha;

		pixel |= (channel > 255 ? 255 : channel) << shift;
	}
	return pixel;
}

static bool pixel_light(uint32_t argb)
{
	uint32_t pixel = pixel_plain(argb);

	return (pixel >> 16) * 3 + (pixel >> 8 & 0xff) * 6 + (pixel & 0xff) >= 1280;
}

/* One bit a pixel, lines of whole bytes, most significant first. */
static void write_bits(const struct cursor *cursor, bool (*bit)(uint32_t argb), uint8_t *out)
{
	size_t line = ((size_t)cursor->width + 7) / 8;

	for (int y = 0; y < cursor->height; y++)
		for (int x = 0; x < cursor->width; x++)
			if (bit(cursor->argb[y * cursor->width + x]))
				out[(size_t)y * line + (size_t)x / 8] |= (uint8_t)(0x80 >> (x % 8));
}

void rects_cursor_rich(struct rects *rects, const struct cursor *cursor, const struct pixel_writer *writer)
{
	size_t n = cursor ? (size_t)cursor->width * (size_t)cursor->height : 0;
	_cleanup_free_ uint32_t *plain = NULL;
	uint8_t *body;

	if (!cursor) {
		rects_add(rects, 0, 0, 0, 0, ENCODING_CURSOR_RICH, 0);
		return;
	}
	plain = malloc(n * sizeof(*plain));
	body = rects_add(rects, cursor->hot_x, cursor->hot_y, cursor->width, cursor->height, ENCODING_CURSOR_RICH,
			 n * writer->bytes + ((size_t)cursor->width + 7) / 8 * (size_t)cursor->height);
	if (!plain || !body) {
		rects->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		plain[i] = pixel_plain(cursor->argb[i]);
	writer->write(writer->userdata, plain, cursor->width, cursor->height, body);
	write_bits(cursor, pixel_shown, body + n * writer->bytes);
}

void rects_cursor_x(struct rects *rects, const struct cursor *cursor)
{
	size_t plane;
	uint8_t *body;

	if (!cursor) {
		rects_add(rects, 0, 0, 0, 0, ENCODING_CURSOR_X, 0);
		return;
	}
	plane = ((size_t)cursor->width + 7) / 8 * (size_t)cursor->height;
	body = rects_add(rects, cursor->hot_x, cursor->hot_y, cursor->width, cursor->height, ENCODING_CURSOR_X,
			 6 + 2 * plane);
	if (!body)
		return;
	memset(body, 0xff, 3); /* ones are white, zeros black */
	write_bits(cursor, pixel_light, body + 6);
	write_bits(cursor, pixel_shown, body + 6 + plane);
}

bool rects_finish(struct rects *rects)
{
	if (!rects->count || rects->failed)
		return false;
	rects->data[0] = SERVER_FRAMEBUFFER_UPDATE;
	rects->data[1] = 0;
	put_u16(rects->data + 2, (uint16_t)rects->count);
	return true;
}
