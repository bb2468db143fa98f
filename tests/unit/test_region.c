/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/screen/region.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EDGE 128

static bool covers(const struct region *region, int x, int y)
{
	for (size_t i = 0; i < region->n; i++) {
		const struct region_rect *rect = &region->rects[i];

		if (x >= rect->x && y >= rect->y && x < rect->x + rect->w && y < rect->y + rect->h)
			return true;
	}
	return false;
}

static void what_is_covered_adds_nothing(void **state)
{
	struct region region = {0};

	(void)state;
	region_add(&region, (struct region_rect){10, 10, 20, 20});
	region_add(&region, (struct region_rect){10, 10, 20, 20});
	region_add(&region, (struct region_rect){15, 12, 15, 18});
	assert_int_equal(region.n, 1);
}

static void what_covers_all_replaces_all(void **state)
{
	struct region region = {0};

	(void)state;
	for (int i = 0; i < REGION_MAX; i++)
		region_add(&region, (struct region_rect){i * 7, i * 3, 5, 2});
	assert_int_equal(region.n, REGION_MAX);
	region_add(&region, (struct region_rect){0, 0, EDGE, EDGE});
	assert_int_equal(region.n, 1);
	assert_int_equal(region.rects[0].w, EDGE);
}

static void a_full_list_joins_neighbours(void **state)
{
	struct region region = {0};

	(void)state;
	for (int i = 0; i < REGION_MAX; i++)
		region_add(&region, (struct region_rect){i * 100, 0, 10, 10});
	region_add(&region, (struct region_rect){310, 0, 10, 10});
	assert_int_equal(region.n, REGION_MAX);
	assert_true(covers(&region, 300, 0) && covers(&region, 319, 9));
	assert_false(covers(&region, 350, 5));
}

static void nothing_added_is_ever_lost(void **state)
{
	static bool added[EDGE][EDGE];
	struct region region = {0};
	uint32_t random = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct region_rect rect;

		random = random * 1664525u + 1013904223u;
		rect = (struct region_rect){(int)(random >> 8) % 100, (int)(random >> 16) % 100,
					    1 + (int)(random >> 20) % 28, 1 + (int)(random >> 25) % 28};
		region_add(&region, rect);
		assert_in_range(region.n, 1, REGION_MAX);
		for (int y = rect.y; y < rect.y + rect.h; y++)
			memset(&added[y][rect.x], 1, (size_t)rect.w);
		for (int y = 0; y < EDGE && round % 50 == 0; y++)
			for (int x = 0; x < EDGE; x++)
				assert_true(!added[y][x] || covers(&region, x, y));
		if (round % 100 == 99) {
			region_clear(&region);
			memset(added, 0, sizeof(added));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_covered_adds_nothing),
	    cmocka_unit_test(what_covers_all_replaces_all),
	    cmocka_unit_test(a_full_list_joins_neighbours),
	    cmocka_unit_test(nothing_added_is_ever_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
