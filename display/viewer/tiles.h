/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which 64x64 tiles of a picture may have changed, and the comparison that says which did. Pure. */
#ifndef VIEWER_TILES_H
#define VIEWER_TILES_H

#include "display/viewer/letterbox.h"

#include <stdbool.h>
#include <stdint.h>

#define TILE 64
#define TILES_EDGE 128 /* tiles along an edge: pictures of up to 8192 x 8192 */
#define PICTURE_EDGE_MAX (TILE * TILES_EDGE)

struct tiles {
	uint64_t row[TILES_EDGE][TILES_EDGE / 64];
	bool any;
};

void tiles_clear(struct tiles *tiles);
/* Marks all tiles a rectangle touches; what is outside 8192 x 8192 is ignored. */
void tiles_mark(struct tiles *tiles, struct rect rect);
void tiles_add(struct tiles *tiles, const struct tiles *other);

/* The next marked tile at or behind (*column, *row) in reading order; false at the end. */
bool tiles_next(const struct tiles *tiles, int *column, int *row);

/*
 * Compares `area` (at most a tile) of a framebuffer of 32-bit pixels, `stride` pixels a line, with `fresh` (TILE pixels
 * a line), and copies what differs. True when something did: *ret is then the changed lines of `area`.
 */
bool tile_update(uint32_t *framebuffer, int stride, struct rect area, const uint32_t *fresh, struct rect *ret);

#endif
