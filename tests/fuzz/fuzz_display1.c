/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What QEMU says of its surfaces, updates and cursors: whatever passes the checks can be copied and covered. */
#include "display/display1.h"
#include "display/screen/framebuffer.h"
#include "display/screen/screen_api.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct message {
	uint32_t width, height, stride, format, size;
	int32_t x, y, w, h;
	uint32_t pixels;
};

static void require(bool held)
{
	if (!held)
		abort();
}

static void try_cursor(const struct message *message)
{
	if (!display1_cursor_valid(message->x, message->y, message->w, message->h, message->pixels))
		return;
	require(message->pixels <= DISPLAY1_CURSOR_EDGE_MAX * DISPLAY1_CURSOR_EDGE_MAX * 4);
	require(message->w < message->x && message->h < message->y);
}

static void try_region(struct region *region, struct region_rect rect)
{
	bool found = false;

	region_add(region, rect);
	require(region->n > 0 && region->n <= REGION_MAX);
	for (size_t i = 0; i < region->n; i++) {
		const struct region_rect *at = &region->rects[i];

		require(framebuffer_inside(SCREEN_WIDTH_MAX, SCREEN_HEIGHT_MAX, at->x, at->y, at->w, at->h));
		found = found || (at->x <= rect.x && at->y <= rect.y && at->x + at->w >= rect.x + rect.w &&
				  at->y + at->h >= rect.y + rect.h);
	}
	require(found);
}

/* The bytes QEMU says there are, and one byte more would be a finding of AddressSanitizer's. */
static void try_copy(const struct message *message)
{
	struct framebuffer *framebuffer;
	uint8_t *pixels;

	if (framebuffer_new((int)message->width, (int)message->height, &framebuffer) < 0)
		return;
	pixels = calloc(1, message->size);
	if (pixels)
		framebuffer_copy(framebuffer, (struct region_rect){0, 0, (int)message->width, (int)message->height},
				 pixels, message->stride);
	free(pixels);
	framebuffer_free(framebuffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct region region = {0};
	struct message message;

	for (; size >= sizeof(message); data += sizeof(message), size -= sizeof(message)) {
		memcpy(&message, data, sizeof(message));
		try_cursor(&message);
		if (framebuffer_check(message.width, message.height, message.stride, message.format, message.size) < 0)
			continue;
		if (message.size <= 1 << 16)
			try_copy(&message);
		if (framebuffer_inside((int)message.width, (int)message.height, message.x, message.y, message.w,
				       message.h))
			try_region(&region, (struct region_rect){message.x, message.y, message.w, message.h});
	}
	return 0;
}
