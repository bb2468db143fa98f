/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/screen/framebuffer.h"

#include "display/screen/screen_api.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define GOOD FRAMEBUFFER_X8R8G8B8
#define CUT_SIZE (64L * 64 * 4)

static void geometry_that_fits(void **state)
{
	(void)state;
	assert_int_equal(framebuffer_check(1, 1, 4, GOOD, 4), 0);
	assert_int_equal(framebuffer_check(10, 10, 40, FRAMEBUFFER_A8R8G8B8, 400), 0);
	assert_int_equal(framebuffer_check(10, 10, 64, GOOD, 64 * 9 + 40), 0);
	assert_int_equal(framebuffer_check(SCREEN_WIDTH_MAX, SCREEN_HEIGHT_MAX, SCREEN_WIDTH_MAX * 4, GOOD, UINT64_MAX),
			 0);
}

static void geometry_that_does_not(void **state)
{
	(void)state;
	assert_int_equal(framebuffer_check(0, 1, 4, GOOD, 4), -EINVAL);
	assert_int_equal(framebuffer_check(1, 0, 4, GOOD, 4), -EINVAL);
	assert_int_equal(framebuffer_check(1, 1, 3, GOOD, 4), -EINVAL);
	assert_int_equal(framebuffer_check(1, 1, 4, GOOD, 3), -EINVAL);
	assert_int_equal(framebuffer_check(1, 1, 4, 0x10020565, 4), -EINVAL);
	assert_int_equal(framebuffer_check(10, 10, 64, GOOD, 64 * 9 + 39), -EINVAL);
	assert_int_equal(framebuffer_check(SCREEN_WIDTH_MAX + 1, 1, UINT32_MAX, GOOD, UINT64_MAX), -EINVAL);
	assert_int_equal(framebuffer_check(1, SCREEN_HEIGHT_MAX + 1, 4, GOOD, UINT64_MAX), -EINVAL);
	assert_int_equal(framebuffer_check(0x40000001, 1, 4, GOOD, UINT64_MAX), -EINVAL);
	assert_int_equal(framebuffer_check(1, 1, UINT32_MAX, GOOD, UINT64_MAX), -EINVAL);
}

static void rectangles_inside_and_outside(void **state)
{
	(void)state;
	assert_true(framebuffer_inside(10, 20, 0, 0, 10, 20));
	assert_true(framebuffer_inside(10, 20, 9, 19, 1, 1));
	assert_false(framebuffer_inside(10, 20, 9, 19, 2, 1));
	assert_false(framebuffer_inside(10, 20, 9, 19, 1, 2));
	assert_false(framebuffer_inside(10, 20, -1, 0, 1, 1));
	assert_false(framebuffer_inside(10, 20, 0, -1, 1, 1));
	assert_false(framebuffer_inside(10, 20, 0, 0, 0, 1));
	assert_false(framebuffer_inside(10, 20, 0, 0, 1, -1));
	assert_false(framebuffer_inside(10, 20, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX));
	assert_false(framebuffer_inside(10, 20, INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX));
}

static void a_copy_is_exact(void **state)
{
	struct framebuffer *framebuffer;
	uint8_t from[5 * 32];

	(void)state;
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(i + 1);
	assert_int_equal(framebuffer_new(8, 8, &framebuffer), 0);
	assert_int_equal(framebuffer_copy(framebuffer, (struct region_rect){3, 2, 4, 5}, from, 32), 0);
	for (size_t y = 0; y < 8; y++)
		for (size_t x = 0; x < 32; x++) {
			bool inside = y >= 2 && y < 7 && x >= 12 && x < 28;

			assert_int_equal(framebuffer->data[y * 32 + x], inside ? from[(y - 2) * 32 + x - 12] : 0);
		}
	framebuffer_free(framebuffer);
}

static void others_can_neither_write_nor_resize(void **state)
{
	struct framebuffer *framebuffer;
	void *map;

	(void)state;
	assert_int_equal(framebuffer_new(64, 64, &framebuffer), 0);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, framebuffer->fd, 0), MAP_FAILED);
	assert_int_equal(ftruncate(framebuffer->fd, 0), -1);
	assert_int_equal(pwrite(framebuffer->fd, "x", 1, 0), -1);
	map = mmap(NULL, framebuffer->size, PROT_READ, MAP_SHARED, framebuffer->fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	framebuffer->data[5] = 77;
	assert_int_equal(((const uint8_t *)map)[5], 77);
	munmap(map, framebuffer->size);
	framebuffer_free(framebuffer);
}

/* The reading end sees the file end under its map, more than once. */
static void a_copy_from_a_file_that_was_cut_is_survived(void **state)
{
	const struct region_rect all = {0, 0, 64, 64};
	struct framebuffer *framebuffer;
	int fd = memfd_create("cut", MFD_CLOEXEC);
	uint8_t *map;

	(void)state;
	assert_int_equal(framebuffer_guard_init(), 0);
	assert_int_equal(framebuffer_new(64, 64, &framebuffer), 0);
	assert_int_equal(ftruncate(fd, CUT_SIZE), 0);
	map = mmap(NULL, CUT_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(framebuffer_copy(framebuffer, all, map, 256), 0);
		assert_int_equal(ftruncate(fd, 4096), 0);
		assert_int_equal(framebuffer_copy(framebuffer, all, map, 256), -EFAULT);
		assert_int_equal(framebuffer_copy(framebuffer, (struct region_rect){0, 0, 64, 8}, map, 256), 0);
		assert_int_equal(ftruncate(fd, CUT_SIZE), 0);
	}
	munmap(map, CUT_SIZE);
	close(fd);
	framebuffer_free(framebuffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(geometry_that_fits),
	    cmocka_unit_test(geometry_that_does_not),
	    cmocka_unit_test(rectangles_inside_and_outside),
	    cmocka_unit_test(a_copy_is_exact),
	    cmocka_unit_test(others_can_neither_write_nor_resize),
	    cmocka_unit_test(a_copy_from_a_file_that_was_cut_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
