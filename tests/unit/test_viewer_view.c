/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From source pixels to rectangles: letter-box, tiles, scene, surface, own rectangles, pace. */
#include "display/viewer/pace.h"
#include "display/viewer/rects.h"
#include "display/viewer/scene.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
/* cmocka wants those first */
#include <cmocka.h>

static void test_letterbox_centres(void **state)
{
	struct letterbox box;
	int x, y;

	(void)state;
	letterbox_fit(&box, 200, 100, 400, 300);
	assert_int_equal(box.at.x, 100);
	assert_int_equal(box.at.y, 100);
	assert_int_equal(box.at.w, 200);
	assert_false(letterbox_is_identity(&box));
	letterbox_to_source(&box, 100, 100, &x, &y);
	assert_true(x == 0 && y == 0);
	letterbox_to_source(&box, 299, 199, &x, &y);
	assert_true(x == 199 && y == 99);
	letterbox_to_source(&box, 0, 65535, &x, &y);
	assert_true(x == 0 && y == 99);
	letterbox_to_view(&box, 199, 99, &x, &y);
	assert_true(x == 299 && y == 199);
}

static void test_letterbox_scales_down(void **state)
{
	struct letterbox box;
	int x, y;

	(void)state;
	letterbox_fit(&box, 1600, 600, 800, 600);
	assert_int_equal(box.at.w, 800);
	assert_int_equal(box.at.h, 300);
	assert_int_equal(box.at.y, 150);
	letterbox_to_source(&box, 799, 449, &x, &y);
	assert_true(x == 1598 && y == 598);
	letterbox_fit(&box, 8192, 1, 640, 480);
	assert_int_equal(box.at.h, 1);
	letterbox_fit(&box, 1, 8192, 640, 480);
	assert_int_equal(box.at.w, 1);
	letterbox_fit(&box, 800, 600, 800, 600);
	assert_true(letterbox_is_identity(&box));
}

/* Each pixel of a damaged rectangle is inside what is drawn again. */
static void test_letterbox_damage(void **state)
{
	struct letterbox box;

	(void)state;
	letterbox_fit(&box, 1000, 700, 333, 222);
	for (int sx = 0; sx < 1000; sx += 37) {
		struct rect rect = letterbox_rect(&box, (struct rect){sx, sx % 700, 20, 10});
		int x, y, x2, y2;

		letterbox_to_view(&box, sx, sx % 700, &x, &y);
		letterbox_to_view(&box, sx + 19 > 999 ? 999 : sx + 19, sx % 700 + 9 > 699 ? 699 : sx % 700 + 9, &x2,
				  &y2);
		assert_true(rect.x <= x && rect.y <= y && rect.x + rect.w > x2 && rect.y + rect.h > y2);
	}
}

static void test_rect_clip(void **state)
{
	struct rect rect = rect_clip((struct rect){-5, -5, 10, 10}, 100, 100);

	(void)state;
	assert_true(rect.x == 0 && rect.y == 0 && rect.w == 5 && rect.h == 5);
	assert_int_equal(rect_clip((struct rect){100, 0, 5, 5}, 100, 100).w, 0);
	assert_int_equal(rect_clip((struct rect){2147483647, 2147483647, 2147483647, 2147483647}, 100, 100).w, 0);
	assert_int_equal(rect_clip((struct rect){0, 0, -5, 5}, 100, 100).w, 0);
}

static void test_tiles(void **state)
{
	struct tiles tiles, more;
	int column = 0, row = 0, n = 0;

	(void)state;
	tiles_clear(&tiles);
	assert_false(tiles_next(&tiles, &column, &row));
	tiles_mark(&tiles, (struct rect){63, 63, 2, 2});
	tiles_mark(&tiles, (struct rect){8191, 8191, 100, 100});
	tiles_mark(&tiles, (struct rect){9000, 0, 100, 100});
	tiles_clear(&more);
	tiles_mark(&more, (struct rect){64 * 64, 0, 1, 1});
	tiles_add(&tiles, &more);
	for (; tiles_next(&tiles, &column, &row); column++, n++)
		assert_true((column < 2 && row < 2) || (column == 64 && row == 0) || (column == 127 && row == 127));
	assert_int_equal(n, 6);
}

static void test_tile_update(void **state)
{
	uint32_t framebuffer[100 * 50] = {0}, fresh[TILE * TILE] = {0};
	struct rect area = {40, 10, 60, 40}, changed;

	(void)state;
	assert_false(tile_update(framebuffer, 100, area, fresh, &changed));
	fresh[5 * TILE + 59] = 7;
	fresh[(size_t)8 * TILE] = 9;
	assert_true(tile_update(framebuffer, 100, area, fresh, &changed));
	assert_true(changed.x == 40 && changed.w == 60 && changed.y == 15 && changed.h == 4);
	assert_int_equal(framebuffer[15 * 100 + 99], 7);
	assert_int_equal(framebuffer[18 * 100 + 40], 9);
	assert_false(tile_update(framebuffer, 100, area, fresh, &changed));
}

static struct pixels *gradient(uint32_t width, uint32_t height)
{
	struct pixels *pixels = NULL;

	assert_int_equal(pixels_new(width, height, &pixels), 0);
	for (uint32_t i = 0; i < width * height; i++)
		((uint32_t *)(void *)pixels->data)[i] = 0xff000000 | i;
	return pixels;
}

static void test_scene(void **state)
{
	struct pixels *pixels = gradient(100, 80);
	struct cursor *cursor = NULL;
	static const uint32_t argb[4] = {0xffff0000, 0x80400000, 0, 0xff0000ff};
	uint32_t tile[TILE * TILE];
	struct scene scene = {.pixels = pixels, .pointer_x = 65, .pointer_y = 64};

	(void)state;
	letterbox_fit(&scene.box, 100, 80, 100, 80);
	scene_render(&scene, (struct rect){64, 64, 36, 16}, tile);
	assert_int_equal(tile[0], 64 * 100 + 64);
	assert_int_equal(tile[15 * TILE + 35], 79 * 100 + 99);
	assert_int_equal(cursor_new(2, 2, 1, 1, argb, sizeof(argb), &cursor), 0);
	scene.cursor = cursor;
	scene_render(&scene, (struct rect){64, 64, 36, 16}, tile);
	assert_int_equal(scene_pointer(&scene).x, 64);
	assert_int_equal(scene_pointer(&scene).y, 63);
	assert_int_equal(tile[0], 64 * 100 + 64);
	assert_int_equal(tile[1], 0x0000ff);
	letterbox_fit(&scene.box, 100, 80, 50, 40);
	scene.cursor = NULL;
	scene_render(&scene, (struct rect){0, 0, 50, 40}, tile);
	assert_int_equal(tile[0], (0 + 1 + 100 + 101) / 4);
	letterbox_fit(&scene.box, 100, 80, 120, 80);
	scene_render(&scene, (struct rect){0, 0, 64, 64}, tile);
	assert_int_equal(tile[9], 0);
	assert_int_equal(tile[11], 1);
	cursor_unref(cursor);
	pixels_unref(pixels);
}

static void count(void *userdata)
{
	++*(int *)userdata;
}

static void test_surface(void **state)
{
	struct surface surface;
	struct surface_state taken = {0};
	int changes = 0, column = 0, row = 0;

	(void)state;
	surface_init(&surface, count, &changes);
	surface_set_pixels(&surface, gradient(10, 10));
	surface_take(&surface, &taken);
	assert_true(taken.damage.any);
	tiles_clear(&taken.damage);
	surface_take(&surface, &taken);
	assert_false(taken.damage.any);
	surface_set_pixels(&surface, gradient(200, 100));
	surface_take(&surface, &taken);
	tiles_clear(&taken.damage);
	surface_damage(&surface, (struct rect){150, 80, 1000, 1000});
	surface_damage(&surface, (struct rect){-5, 5000, 1, 1});
	surface_take(&surface, &taken);
	assert_true(tiles_next(&taken.damage, &column, &row));
	assert_true(column == 2 && row == 1);
	assert_int_equal(changes, 4);
	surface_state_done(&taken);
	surface_done(&surface);
}

static int memfd(size_t size, int seals)
{
	int fd = memfd_create("test", MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void test_pixels_map(void **state)
{
	int fd = memfd(40000, F_SEAL_SHRINK), loose = memfd(40000, 0);
	struct pixels *pixels = NULL;

	(void)state;
	assert_int_equal(pixels_map(loose, 0, 100, 100, 400, PIXELS_X8R8G8B8, &pixels), -EPERM);
	assert_int_equal(pixels_map(fd, 0, 100, 101, 400, PIXELS_X8R8G8B8, &pixels), -EINVAL);
	assert_int_equal(pixels_map(fd, 4, 100, 100, 400, PIXELS_X8R8G8B8, &pixels), -EINVAL);
	assert_int_equal(pixels_map(fd, 0, 100, 100, 396, PIXELS_X8R8G8B8, &pixels), -EINVAL);
	assert_int_equal(pixels_map(fd, 0, 100, 100, 400, 1, &pixels), -EINVAL);
	assert_int_equal(pixels_map(fd, 0, 0, 100, 400, PIXELS_X8R8G8B8, &pixels), -EINVAL);
	assert_int_equal(pixels_map(fd, 0, 0x40000001, 1, 4, PIXELS_X8R8G8B8, &pixels), -EINVAL);
	assert_int_equal(pixels_map(fd, 0, 100, 100, 0xfffffffc, PIXELS_X8R8G8B8, &pixels), -EINVAL);
	assert_int_equal(pixels_map(fd, 0xfffffffc, 1, 1, 4, PIXELS_X8R8G8B8, &pixels), -EINVAL);
	assert_int_equal(pixels_map(fd, 20000, 50, 50, 400, PIXELS_X8R8G8B8, &pixels), 0);
	assert_int_equal(pixels_line(pixels, 49)[49], 0);
	pixels_unref(pixels);
	close(fd);
	close(loose);
}

static void test_cursor_limits(void **state)
{
	struct cursor *cursor = NULL;

	(void)state;
	assert_int_equal(cursor_new(0, 1, 0, 0, "", 0, &cursor), -EINVAL);
	assert_int_equal(cursor_new(2, 2, 0, 0, "", 12, &cursor), -EINVAL);
	assert_int_equal(cursor_new(65536, 65536, 0, 0, "", 0, &cursor), -EINVAL);
	assert_int_equal(cursor_new(1, 1, -7, 100, "abcd", 4, &cursor), 0);
	assert_true(cursor->hot_x == 0 && cursor->hot_y == 0);
	cursor_unref(cursor);
}

static void write_two_bytes(void *userdata, const uint32_t *pixels, int width, int height, uint8_t *out)
{
	(void)userdata;
	for (int i = 0; i < width * height; i++)
		put_u16(out + 2 * (size_t)i, (uint16_t)pixels[i]);
}

static void test_rects(void **state)
{
	static const uint32_t argb[] = {0xffffffff, 0xff000000, 0x7f000000, 0x80402010, 0xff0000ff, 0};
	const struct pixel_writer writer = {2, write_two_bytes, NULL};
	struct cursor *cursor = NULL;
	struct rects rects = {0};

	(void)state;
	assert_false(rects_finish(&rects));
	assert_int_equal(cursor_new(3, 2, 1, 1, argb, sizeof(argb), &cursor), 0);
	rects_announce(&rects, ENCODING_QEMU_KEY);
	rects_name(&rects, "abc");
	rects_cursor_alpha(&rects, cursor);
	rects_cursor_rich(&rects, cursor, &writer);
	rects_cursor_x(&rects, cursor);
	rects_ext_size(&rects, SIZE_BY_THIS_VIEWER, SIZE_BAD_LAYOUT, 640, 480);
	assert_true(rects_finish(&rects));
	assert_int_equal(get_u16(rects.data + 2), 6);
	assert_int_equal(rects.size, 4 + 12 + (12 + 4 + 3) + (12 + 4 + 24) + (12 + 12 + 2) + (12 + 6 + 4) + (12 + 20));
	assert_memory_equal(rects.data + 4 + 12 + 12, "\0\0\0\3abc", 7);
	assert_memory_equal(rects.data + 35 + 12 + 4 + 12, "\x40\x20\x10\x80", 4);
	assert_memory_equal(rects.data + 75 + 12 + 6, "\x3f\x1f", 2);  /* 0x402010 / 0.5 */
	assert_memory_equal(rects.data + 75 + 12 + 12, "\xc0\xc0", 2); /* which are shown */
	assert_memory_equal(rects.data + 101 + 12, "\xff\xff\xff\0\0\0\x80\0\xc0\xc0", 10);
	assert_memory_equal(rects.data + 123,
			    "\0\1\0\3\2\x80\1\xe0\xff\xff\xfe\xcc\1\0\0\0\0\0\0\0\0\0\0\0\2\x80\1\xe0", 28);
	rects_done(&rects);
	cursor_unref(cursor);
}

static void test_pace_of_updates(void **state)
{
	struct pace pace;

	(void)state;
	pace_init(&pace);
	pace_learn(&pace, 1000000, 4000000);
	assert_true(pace_pixels(&pace) * 4 <= PACE_UPDATE_BYTES + 65536);
	for (int i = 0; i < 100; i++)
		pace_learn(&pace, 1000000, 1000);
	assert_true(pace_pixels(&pace) > 2000000);
	pace_learn(&pace, 0, 100);
}

/* A line of 250 bytes a millisecond (2 Mbit/s) with 10 ms: what is on its way settles low. */
static void test_pace_of_a_slow_line(void **state)
{
	struct pace pace;
	uint64_t now = 0, sent = 0, line_free = 0;
	uint32_t number;

	(void)state;
	pace_init(&pace);
	assert_true(pace_ping(&pace, 0, now, &number));
	pace_echo(&pace, number, now += 10000);
	for (int i = 0; i < 200; i++) {
		assert_true(pace_open(&pace, sent));
		sent += 20000;
		line_free = (line_free > now ? line_free : now) + 80000;
		assert_true(pace_ping(&pace, sent, now, &number));
		if (!pace_open(&pace, sent)) {
			now = line_free + 10000;
			pace_echo(&pace, number, now);
		}
	}
	assert_int_equal(pace.window, PACE_WINDOW_MIN);
}

/* What keeps to half of the way leaves the other half open. */
static void test_pace_of_half_the_way(void **state)
{
	struct pace pace;
	uint32_t number;

	(void)state;
	pace_init(&pace);
	assert_true(pace_ping(&pace, 0, 0, &number));
	pace_echo(&pace, number, 1000);
	assert_true(pace_ping(&pace, 0, 1000, &number));
	assert_true(pace_half_open(&pace, pace.window / 2 - 1));
	assert_false(pace_half_open(&pace, pace.window / 2));
	assert_true(pace_open(&pace, pace.window / 2));
	pace_echo(&pace, number, 2000);
	assert_true(pace_half_open(&pace, pace.window));
}

static void test_pace_believes_no_lies(void **state)
{
	struct pace pace;
	uint32_t number;

	(void)state;
	pace_init(&pace);
	assert_true(pace_open(&pace, UINT64_C(1) << 40)); /* no fences: not held up */
	pace_echo(&pace, 5, 1000);
	assert_false(pace.answered);
	for (int i = 0; i < PACE_PINGS; i++)
		assert_true(pace_ping(&pace, 1000, 0, &number));
	assert_false(pace_ping(&pace, 1000, 0, &number));
	pace_echo(&pace, 3, 1000);
	pace_echo(&pace, 3, 1000);
	pace_echo(&pace, 1, 1000);
	assert_int_equal(pace.acked, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_letterbox_centres),
	    cmocka_unit_test(test_letterbox_scales_down),
	    cmocka_unit_test(test_letterbox_damage),
	    cmocka_unit_test(test_rect_clip),
	    cmocka_unit_test(test_tiles),
	    cmocka_unit_test(test_tile_update),
	    cmocka_unit_test(test_scene),
	    cmocka_unit_test(test_surface),
	    cmocka_unit_test(test_pixels_map),
	    cmocka_unit_test(test_cursor_limits),
	    cmocka_unit_test(test_rects),
	    cmocka_unit_test(test_pace_of_updates),
	    cmocka_unit_test(test_pace_of_a_slow_line),
	    cmocka_unit_test(test_pace_of_half_the_way),
	    cmocka_unit_test(test_pace_believes_no_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
