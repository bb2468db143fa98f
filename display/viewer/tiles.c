/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/tiles.h"

#include <stddef.h>
#include <string.h>

void tiles_clear(struct tiles *tiles)
{
	memset(tiles, 0, sizeof(*tiles));
}

void tiles_mark(struct tiles *tiles, struct rect rect)
{
	rect = rect_clip(rect, PICTURE_EDGE_MAX, PICTURE_EDGE_MAX);
	if (!rect.w)
		return;
	for (int row = rect.y / TILE; row <= (rect.y + rect.h - 1) / TILE; row++)
		for (int column = rect.x / TILE; column <= (rect.x + rect.w - 1) / TILE; column++)
			tiles->row[row][column / 64] |= UINT64_C(1) << (column % 64);
	tiles->any = true;
}

void tiles_add(struct tiles *tiles, const struct tiles *other)
{
	if (!other->any)
		return;
	for (int row = 0; row < TILES_EDGE; row++)
		for (int word = 0; word < TILES_EDGE / 64; word++)
			tiles->row[row][word] |= other->row[row][word];
	tiles->any = true;
}

bool tiles_next(const struct tiles *tiles, int *column, int *row)
{
	int from = *column;

	for (int y = *row; tiles->any && y < TILES_EDGE; y++, from = 0) {
		for (int word = from / 64; word < TILES_EDGE / 64; word++, from = 0) {
			uint64_t bits = tiles->row[y][word] & (~UINT64_C(0) << (from % 64));

			if (!bits)
				continue;
			*column = word * 64 + __builtin_ctzll(bits);
			*row = y;
			return true;
		}
	}
	return false;
}

bool tile_update(uint32_t *framebuffer, int stride, struct rect area, const uint32_t *fresh, struct rect *ret)
{
	size_t line = (size_t)area.w * sizeof(uint32_t);
	int first = -1, last = -1;

	for (int y = 0; y < area.h; y++) {
		uint32_t *have = framebuffer + (size_t)(area.y + y) * (size_t)stride + area.x;
		const uint32_t *want = fresh + (size_t)y * TILE;

		if (memcmp(have, want, line) == 0)
			continue;
		memcpy(have, want, line);
		first = first < 0 ? y : first;
		last = y;
	}
	if (first < 0)
		return false;
	*ret = (struct rect){area.x, area.y + first, area.w, last - first + 1};
	return true;
}
