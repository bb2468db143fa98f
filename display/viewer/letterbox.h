/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A picture of one size shown in a view of another: centred, and scaled down (never up) where it is larger. Pure. */
#ifndef VIEWER_LETTERBOX_H
#define VIEWER_LETTERBOX_H

#include <stdbool.h>

struct rect {
	int x, y, w, h;
};

struct letterbox {
	int source_w, source_h; /* of the picture */
	int view_w, view_h;     /* of the viewer's framebuffer */
	struct rect at;         /* where the picture lies in the view */
};

/* All sizes are at least 1. */
void letterbox_fit(struct letterbox *box, int source_w, int source_h, int view_w, int view_h);
bool letterbox_is_identity(const struct letterbox *box);

/* A viewer's pointer position in the picture's pixels, clamped to its edge. */
void letterbox_to_source(const struct letterbox *box, int view_x, int view_y, int *x, int *y);
void letterbox_to_view(const struct letterbox *box, int source_x, int source_y, int *x, int *y);

/* The smallest rectangle of the view that shows all of a rectangle of the picture. */
struct rect letterbox_rect(const struct letterbox *box, struct rect source);

struct rect rect_clip(struct rect rect, int w, int h); /* to 0,0,w,h; w and h are 0 when nothing is left */

#endif
