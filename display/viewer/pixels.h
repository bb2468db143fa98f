/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A picture of 32-bit x8r8g8b8 pixels, counted, shared by the main and the RFB thread. Its memory may be written by
 * another process while it is read: readers copy what they need once and look only at the copy.
 */
#ifndef VIEWER_PIXELS_H
#define VIEWER_PIXELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* pixman's names of the only formats QEMU's D-Bus display sends. */
#define PIXELS_X8R8G8B8 0x20020888u
#define PIXELS_A8R8G8B8 0x20028888u

struct pixels {
	int refs;
	int width, height;
	size_t stride; /* bytes */
	uint8_t *data;
	void *map; /* NULL: data was allocated */
	size_t map_size;
};

/* Zeroed memory of its own. -ENOMEM; -EINVAL when an edge is 0 or over PICTURE_EDGE_MAX. */
int pixels_new(uint32_t width, uint32_t height, struct pixels **ret);

/*
 * Maps a memfd read-only (the fd stays the caller's). -EPERM when it is not sealed against shrinking, so that reading
 * it can never fault; -EINVAL when it is too small for what is said, or the format is another.
 */
int pixels_map(int fd, uint32_t offset, uint32_t width, uint32_t height, uint32_t stride, uint32_t format,
	       struct pixels **ret);

/* 0 when width, height, stride and format describe a picture that fits `size` bytes. */
int pixels_check(uint32_t width, uint32_t height, uint32_t stride, uint32_t format, uint64_t size);

struct pixels *pixels_ref(struct pixels *pixels);
void pixels_unref(struct pixels *pixels); /* takes NULL */

static inline const uint32_t *pixels_line(const struct pixels *pixels, int y)
{
	return (const uint32_t *)(const void *)(pixels->data + (size_t)y * pixels->stride);
}

#endif
