/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The desktop's pixels as the displays see them: a memfd of x8r8g8b8 that only this process can write
 * (F_SEAL_FUTURE_WRITE) and nobody can resize, so that a display that maps it can never fault.
 */
#ifndef SCREEN_FRAMEBUFFER_H
#define SCREEN_FRAMEBUFFER_H

#include "display/screen/region.h"

#include <stdint.h>

#define FRAMEBUFFER_X8R8G8B8 0x20020888u /* pixman's names; the only formats QEMU's D-Bus display sends */
#define FRAMEBUFFER_A8R8G8B8 0x20028888u

struct framebuffer {
	int fd;
	int width, height;
	uint32_t stride; /* bytes */
	uint8_t *data;
	size_t size;
};

int framebuffer_new(int width, int height, struct framebuffer **ret);
void framebuffer_free(struct framebuffer *framebuffer);

/*
 * Whether size bytes hold a picture of this geometry (pure): edges 1 to SCREEN_WIDTH_MAX and SCREEN_HEIGHT_MAX, a known
 * format, stride at least a line. 0 or -EINVAL.
 */
int framebuffer_check(uint32_t width, uint32_t height, uint32_t stride, uint32_t format, uint64_t size);

/* Whether the rectangle lies inside a width x height picture (pure). */
bool framebuffer_inside(int width, int height, int32_t x, int32_t y, int32_t w, int32_t h);

/*
 * Copies a rectangle from memory that another process may shrink meanwhile: source is its first pixel, at
 * source_stride. -EFAULT when it was (SIGBUS is caught). framebuffer_guard_init once before.
 */
int framebuffer_copy(struct framebuffer *framebuffer, struct region_rect rect, const uint8_t *source,
		     uint32_t source_stride);
int framebuffer_guard_init(void);

#endif
