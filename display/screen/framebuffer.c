/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/screen/framebuffer.h"

#include "common/cleanup.h"
#include "display/screen/screen_api.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#define BYTES_PER_PIXEL 4

int framebuffer_check(uint32_t width, uint32_t height, uint32_t stride, uint32_t format, uint64_t size)
{
	if (format != FRAMEBUFFER_X8R8G8B8 && format != FRAMEBUFFER_A8R8G8B8)
		return -EINVAL;
	if (width == 0 || height == 0 || width > SCREEN_WIDTH_MAX || height > SCREEN_HEIGHT_MAX)
		return -EINVAL;
	if (stride < width * BYTES_PER_PIXEL || stride > INT32_MAX)
		return -EINVAL;
	/* The last line may be shorter than the stride. */
	return (uint64_t)stride * (height - 1) + (uint64_t)width * BYTES_PER_PIXEL <= size ? 0 : -EINVAL;
}

bool framebuffer_inside(int width, int height, int32_t x, int32_t y, int32_t w, int32_t h)
{
	return x >= 0 && y >= 0 && w > 0 && h > 0 && w <= width && h <= height && x <= width - w && y <= height - h;
}

int framebuffer_new(int width, int height, struct framebuffer **ret)
{
	struct framebuffer *framebuffer = calloc(1, sizeof(*framebuffer));
	int r;

	if (!framebuffer)
		return -ENOMEM;
	framebuffer->width = width;
	framebuffer->height = height;
	framebuffer->stride = (uint32_t)width * BYTES_PER_PIXEL;
	framebuffer->size = (size_t)framebuffer->stride * (size_t)height;
	framebuffer->data = MAP_FAILED;
	framebuffer->fd = memfd_create("hotdesk-framebuffer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (framebuffer->fd < 0 || ftruncate(framebuffer->fd, (off_t)framebuffer->size) < 0)
		goto failed;
	framebuffer->data = mmap(NULL, framebuffer->size, PROT_READ | PROT_WRITE, MAP_SHARED, framebuffer->fd, 0);
	/* The mapping above stays writable; none made after the seal is. */
	if (framebuffer->data == MAP_FAILED ||
	    fcntl(framebuffer->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0)
		goto failed;
	*ret = framebuffer;
	return 0;
failed:
	r = -errno;
	framebuffer_free(framebuffer);
	return r;
}

void framebuffer_free(struct framebuffer *framebuffer)
{
	if (!framebuffer)
		return;
	if (framebuffer->data != MAP_FAILED)
		munmap(framebuffer->data, framebuffer->size);
	closep(&framebuffer->fd);
	free(framebuffer);
}

static sigjmp_buf guard_return;
static volatile sig_atomic_t guarded;

static void on_sigbus(int number)
{
	if (guarded)
		siglongjmp(guard_return, 1);
	signal(number, SIG_DFL);
	raise(number);
}

int framebuffer_guard_init(void)
{
	struct sigaction action = {.sa_handler = on_sigbus, .sa_flags = SA_NODEFER};

	return sigaction(SIGBUS, &action, NULL) < 0 ? -errno : 0;
}

int framebuffer_copy(struct framebuffer *framebuffer, struct region_rect rect, const uint8_t *source,
		     uint32_t source_stride)
{
	uint8_t *to = framebuffer->data + (size_t)rect.y * framebuffer->stride + (size_t)rect.x * BYTES_PER_PIXEL;

	if (sigsetjmp(guard_return, 0) != 0) {
		guarded = 0;
		return -EFAULT;
	}
	guarded = 1;
	for (int line = 0; line < rect.h; line++)
		memcpy(to + (size_t)line * framebuffer->stride, source + (size_t)line * source_stride,
		       (size_t)rect.w * BYTES_PER_PIXEL);
	guarded = 0;
	return 0;
}
