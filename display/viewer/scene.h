/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Makes the view's pixels: the picture through its letter-box, and the pointer where the viewer does not draw it. Pure.
 */
#ifndef VIEWER_SCENE_H
#define VIEWER_SCENE_H

#include "display/viewer/letterbox.h"
#include "display/viewer/surface.h"
#include "display/viewer/tiles.h"

struct scene {
	const struct pixels *pixels;
	struct letterbox box;
	const struct cursor *cursor; /* NULL: not drawn */
	int pointer_x, pointer_y;    /* in the picture */
	const struct cursor *banner; /* NULL: none */
};

/* Where the drawn pointer lies in the view; w is 0 when there is none. */
struct rect scene_pointer(const struct scene *scene);
struct rect scene_banner(const struct scene *scene);

/* Fills `area` of the view (at most a tile) into `tile`, TILE pixels a line, x8 = 0. Each pixel of the source is read
 * once. */
void scene_render(const struct scene *scene, struct rect area, uint32_t *tile);

#endif
