/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/pixels.h"

#include "display/viewer/tiles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int pixels_check(uint32_t width, uint32_t height, uint32_t stride, uint32_t format, uint64_t size)
{
	if (format != PIXELS_X8R8G8B8 && format != PIXELS_A8R8G8B8)
		return -EINVAL;
	if (width == 0 || height == 0 || width > PICTURE_EDGE_MAX || height > PICTURE_EDGE_MAX)
		return -EINVAL;
	if (stride < width * 4 || stride % 4 != 0)
		return -EINVAL;
	return (uint64_t)stride * (height - 1) + (uint64_t)width * 4 > size ? -EINVAL : 0;
}

static struct pixels *pixels_make(uint32_t width, uint32_t height, size_t stride)
{
	struct pixels *pixels = calloc(1, sizeof(*pixels));

	if (pixels) {
		pixels->refs = 1;
		pixels->width = (int)width;
		pixels->height = (int)height;
		pixels->stride = stride;
	}
	return pixels;
}

int pixels_new(uint32_t width, uint32_t height, struct pixels **ret)
{
	int r = pixels_check(width, height, width * 4, PIXELS_X8R8G8B8, UINT64_MAX);
	struct pixels *pixels;

	if (r < 0)
		return r;
	pixels = pixels_make(width, height, (size_t)width * 4);
	if (pixels)
		pixels->data = calloc(height, pixels->stride);
	if (!pixels || !pixels->data) {
		free(pixels);
		return -ENOMEM;
	}
	*ret = pixels;
	return 0;
}

int pixels_map(int fd, uint32_t offset, uint32_t width, uint32_t height, uint32_t stride, uint32_t format,
	       struct pixels **ret)
{
	int seals = fcntl(fd, F_GET_SEALS);
	uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE), into = offset % page;
	struct pixels *pixels;
	struct stat st;
	int r;

	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return -EPERM;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < offset || offset % 4 != 0)
		return -EINVAL;
	r = pixels_check(width, height, stride, format, (uint64_t)st.st_size - offset);
	if (r < 0)
		return r;
	pixels = pixels_make(width, height, stride);
	if (!pixels)
		return -ENOMEM;
	pixels->map_size = into + (size_t)stride * (height - 1) + (size_t)width * 4;
	pixels->map = mmap(NULL, pixels->map_size, PROT_READ, MAP_SHARED, fd, (off_t)(offset - into));
	if (pixels->map == MAP_FAILED) {
		r = -errno;
		free(pixels);
		return r;
	}
	pixels->data = (uint8_t *)pixels->map + into;
	*ret = pixels;
	return 0;
}

struct pixels *pixels_ref(struct pixels *pixels)
{
	__atomic_add_fetch(&pixels->refs, 1, __ATOMIC_RELAXED);
	return pixels;
}

void pixels_unref(struct pixels *pixels)
{
	if (!pixels || __atomic_sub_fetch(&pixels->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (pixels->map)
		munmap(pixels->map, pixels->map_size);
	else
		free(pixels->data);
	free(pixels);
}
