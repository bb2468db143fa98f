/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Damage that waits for a slow display: a bounded list of rectangles that covers all that was added. Pure. */
#ifndef SCREEN_REGION_H
#define SCREEN_REGION_H

#include <stdbool.h>
#include <stddef.h>

#define REGION_MAX 16

struct region_rect {
	int x, y, w, h; /* pixels; w and h > 0 */
};

struct region {
	size_t n;
	struct region_rect rects[REGION_MAX];
};

/* Adds a rectangle; where there is no room it becomes one with that whose union wastes least. */
void region_add(struct region *region, struct region_rect rect);

static inline void region_clear(struct region *region)
{
	region->n = 0;
}

#endif
