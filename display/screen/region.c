/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/screen/region.h"

#include <limits.h>

static int min(int a, int b)
{
	return a < b ? a : b;
}

static int max(int a, int b)
{
	return a > b ? a : b;
}

static struct region_rect rect_union(struct region_rect a, struct region_rect b)
{
	int x = min(a.x, b.x), y = min(a.y, b.y);

	return (struct region_rect){x, y, max(a.x + a.w, b.x + b.w) - x, max(a.y + a.h, b.y + b.h) - y};
}

static bool rect_contains(struct region_rect outer, struct region_rect inner)
{
	return inner.x >= outer.x && inner.y >= outer.y && inner.x + inner.w <= outer.x + outer.w &&
	       inner.y + inner.h <= outer.y + outer.h;
}

static long long area(struct region_rect rect)
{
	return (long long)rect.w * rect.h;
}

static void drop(struct region *region, size_t index)
{
	region->rects[index] = region->rects[--region->n];
}

/* The one whose union with rect adds the fewest pixels that are in neither. */
static size_t cheapest(const struct region *region, struct region_rect rect)
{
	long long least = LLONG_MAX;
	size_t found = 0;

	for (size_t i = 0; i < region->n; i++) {
		long long waste = area(rect_union(region->rects[i], rect)) - area(region->rects[i]) - area(rect);

		if (waste < least) {
			least = waste;
			found = i;
		}
	}
	return found;
}

void region_add(struct region *region, struct region_rect rect)
{
	for (size_t i = 0; i < region->n; i++)
		if (rect_contains(region->rects[i], rect))
			return;
	for (size_t i = region->n; i-- > 0;)
		if (rect_contains(rect, region->rects[i]))
			drop(region, i);
	if (region->n == REGION_MAX) {
		size_t index = cheapest(region, rect);

		rect = rect_union(region->rects[index], rect);
		drop(region, index);
		region_add(region, rect);
		return;
	}
	region->rects[region->n++] = rect;
}
