/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/letterbox.h"

#include <stdint.h>

static int clamp(int value, int low, int high)
{
	return value < low ? low : value > high ? high : value;
}

/* value * to / from, rounded down; the sizes are at most 65535. */
static int scale(int value, int to, int from)
{
	return (int)((int64_t)value * to / from);
}

void letterbox_fit(struct letterbox *box, int source_w, int source_h, int view_w, int view_h)
{
	int w = source_w, h = source_h;

	if (w > view_w) {
		h = clamp(scale(h, view_w, w), 1, h);
		w = view_w;
	}
	if (h > view_h) {
		w = clamp(scale(w, view_h, h), 1, w);
		h = view_h;
	}
	*box = (struct letterbox){source_w, source_h, view_w, view_h, {(view_w - w) / 2, (view_h - h) / 2, w, h}};
}

bool letterbox_is_identity(const struct letterbox *box)
{
	return box->source_w == box->view_w && box->source_h == box->view_h;
}

void letterbox_to_source(const struct letterbox *box, int view_x, int view_y, int *x, int *y)
{
	*x = clamp(scale(view_x - box->at.x, box->source_w, box->at.w), 0, box->source_w - 1);
	*y = clamp(scale(view_y - box->at.y, box->source_h, box->at.h), 0, box->source_h - 1);
}

void letterbox_to_view(const struct letterbox *box, int source_x, int source_y, int *x, int *y)
{
	*x = box->at.x + scale(source_x, box->at.w, box->source_w);
	*y = box->at.y + scale(source_y, box->at.h, box->source_h);
}

struct rect letterbox_rect(const struct letterbox *box, struct rect source)
{
	struct rect view;

	if (letterbox_is_identity(box))
		return source;
	letterbox_to_view(box, source.x, source.y, &view.x, &view.y);
	view.w = scale(source.w, box->at.w, box->source_w) + 2;
	view.h = scale(source.h, box->at.h, box->source_h) + 2;
	return rect_clip(view, box->view_w, box->view_h);
}

struct rect rect_clip(struct rect rect, int w, int h)
{
	int64_t x1 = rect.x, y1 = rect.y, x2 = x1 + rect.w, y2 = y1 + rect.h;

	x1 = x1 < 0 ? 0 : x1;
	y1 = y1 < 0 ? 0 : y1;
	x2 = x2 > w ? w : x2;
	y2 = y2 > h ? h : y2;
	if (x2 <= x1 || y2 <= y1)
		return (struct rect){0, 0, 0, 0};
	return (struct rect){(int)x1, (int)y1, (int)(x2 - x1), (int)(y2 - y1)};
}
