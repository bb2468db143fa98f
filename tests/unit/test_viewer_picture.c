/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/picture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants those first */
#include <cmocka.h>

static struct pixels *draw(const char *title, const char *detail, int percent, bool failed, int width, int height,
			   const struct pixels *behind)
{
	const struct picture_text text = {title, detail, percent, failed};
	struct pixels *pixels = NULL;

	assert_int_equal(picture_draw(&text, width, height, behind, &pixels), 0);
	assert_int_equal(pixels->width, width);
	return pixels;
}

static unsigned differences(const struct pixels *a, const struct pixels *b)
{
	unsigned n = 0;

	for (int y = 0; y < a->height; y++)
		for (int x = 0; x < a->width; x++)
			n += pixels_line(a, y)[x] != pixels_line(b, y)[x];
	return n;
}

static void test_texts_are_seen(void **state)
{
	struct pixels *empty = draw("", "", -1, false, 640, 480, NULL);
	struct pixels *title = draw("Starting your desktop", "", -1, false, 640, 480, NULL);
	struct pixels *other = draw("Stopping your desktop", "", -1, false, 640, 480, NULL);
	struct pixels *bar10 = draw("Starting", "", 10, false, 640, 480, NULL);
	struct pixels *bar90 = draw("Starting", "", 90, false, 640, 480, NULL);
	struct pixels *failed = draw("Starting", "", 10, true, 640, 480, NULL);

	(void)state;
	assert_true(differences(empty, title) > 500);
	assert_true(differences(title, other) > 50);
	assert_true(differences(bar10, bar90) > 1000);
	assert_true(differences(bar10, failed) > 20);
	pixels_unref(empty);
	pixels_unref(title);
	pixels_unref(other);
	pixels_unref(bar10);
	pixels_unref(bar90);
	pixels_unref(failed);
}

static void test_any_size_and_text(void **state)
{
	static const int sizes[][2] = {{1, 1},       {16, 16},   {200, 100},  {320, 200},
				       {1920, 1080}, {8192, 64}, {3840, 2160}};
	char longer[5000];
	struct pixels *pixels = NULL;

	(void)state;
	memset(longer, 'w', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		pixels_unref(draw(longer, longer, 100, true, sizes[i][0], sizes[i][1], NULL));
		pixels_unref(draw("\xff\xfe bad \xc3", "a\nb\n\nc\x01", 250, false, sizes[i][0], sizes[i][1], NULL));
	}
	assert_int_equal(picture_draw(&(struct picture_text){"", "", -1, false}, 0, 10, NULL, &pixels), -EINVAL);
	assert_int_equal(picture_draw(&(struct picture_text){"", "", -1, false}, 9000, 10, NULL, &pixels), -EINVAL);
}

static void test_what_lies_behind_is_dimmed(void **state)
{
	struct pixels *behind = NULL, *pixels;

	(void)state;
	assert_int_equal(pixels_new(640, 480, &behind), 0);
	memset(behind->data, 0xff, behind->stride * 480);
	pixels = draw("Reconnecting", "", -1, false, 640, 480, behind);
	assert_int_equal(pixels_line(pixels, 3)[3], 0x3f3f3f);
	pixels_unref(pixels);
	pixels = draw("Reconnecting", "", -1, false, 600, 480, behind);
	assert_int_not_equal(pixels_line(pixels, 3)[3], 0x3f3f3f);
	pixels_unref(pixels);
	pixels_unref(behind);
}

static void test_arrow(void **state)
{
	struct cursor *arrow = NULL;

	(void)state;
	assert_int_equal(picture_arrow(&arrow), 0);
	assert_int_equal(arrow->argb[0] >> 24 < 255, 1);
	assert_int_equal(arrow->argb[6 * arrow->width + 3], 0xff000000);
	cursor_unref(arrow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_texts_are_seen),
	    cmocka_unit_test(test_any_size_and_text),
	    cmocka_unit_test(test_what_lies_behind_is_dimmed),
	    cmocka_unit_test(test_arrow),
	};

	picture_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
