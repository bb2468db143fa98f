/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Builds a FramebufferUpdate of the rectangles that libvncserver does not know. Pure; once memory runs out, `failed`
 * stays set. */
#ifndef VIEWER_RECTS_H
#define VIEWER_RECTS_H

#include "display/viewer/rfb_wire.h"
#include "display/viewer/surface.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rects {
	uint8_t *data;
	size_t size, room;
	unsigned count;
	bool failed;
};

/* Converts x8r8g8b8 pixels to the viewer's format, `bytes` a pixel. */
struct pixel_writer {
	unsigned bytes;
	void (*write)(void *userdata, const uint32_t *pixels, int width, int height, uint8_t *out);
	void *userdata;
};

void rects_done(struct rects *rects);

/* An empty rectangle that says "this server speaks ENCODING" (QEMU keys, QEMU audio). */
void rects_announce(struct rects *rects, int32_t encoding);
void rects_name(struct rects *rects, const char *name);
void rects_size(struct rects *rects, int width, int height);
void rects_ext_size(struct rects *rects, enum size_reason reason, enum size_result result, int width, int height);
void rects_pointer(struct rects *rects, int x, int y);
/* cursor NULL: an invisible one. */
void rects_cursor_alpha(struct rects *rects, const struct cursor *cursor);
void rects_cursor_rich(struct rects *rects, const struct cursor *cursor, const struct pixel_writer *writer);
void rects_cursor_x(struct rects *rects, const struct cursor *cursor);

/* Sets the message's header; false when nothing was added or memory ran out. */
bool rects_finish(struct rects *rects);

#endif
