/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/scene.h"

#include <string.h>

#define RGB UINT32_C(0xffffff)

struct rect scene_pointer(const struct scene *scene)
{
	struct rect rect = {0, 0, 0, 0};

	if (!scene->cursor)
		return rect;
	letterbox_to_view(&scene->box, scene->pointer_x, scene->pointer_y, &rect.x, &rect.y);
	rect.x -= scene->cursor->hot_x;
	rect.y -= scene->cursor->hot_y;
	rect.w = scene->cursor->width;
	rect.h = scene->cursor->height;
	return rect;
}

struct rect scene_banner(const struct scene *scene)
{
	if (!scene->banner)
		return (struct rect){0, 0, 0, 0};
	return (struct rect){(scene->box.view_w - scene->banner->width) / 2, 0, scene->banner->width,
			     scene->banner->height};
}

static void copy_identity(const struct scene *scene, struct rect area, uint32_t *tile)
{
	for (int y = 0; y < area.h; y++) {
		const uint32_t *from = pixels_line(scene->pixels, area.y + y) + area.x;

		for (int x = 0; x < area.w; x++)
			tile[y * TILE + x] = from[x] & RGB;
	}
}

/* The mean of the source's pixels [x0,x1) x [y0,y1). */
static uint32_t mean(const struct pixels *pixels, int x0, int x1, int y0, int y1)
{
	uint64_t r = 0, g = 0, b = 0, n = (uint64_t)(x1 - x0) * (uint64_t)(y1 - y0);

	for (int y = y0; y < y1; y++) {
		const uint32_t *line = pixels_line(pixels, y);

		for (int x = x0; x < x1; x++) {
			uint32_t pixel = line[x];

			r += pixel >> 16 & 0xff;
			g += pixel >> 8 & 0xff;
			b += pixel & 0xff;
		}
	}
	return (uint32_t)(r / n) << 16 | (uint32_t)(g / n) << 8 | (uint32_t)(b / n);
}

/* The first source pixel of a view pixel `at` (an offset inside the box) along one edge. */
static int first_of(int at, int source, int view)
{
	return (int)((int64_t)at * source / view);
}

static uint32_t pixel_boxed(const struct scene *scene, int x, int y)
{
	const struct letterbox *box = &scene->box;
	int x0, x1, y0, y1;

	x -= box->at.x;
	y -= box->at.y;
	if (x < 0 || y < 0 || x >= box->at.w || y >= box->at.h)
		return 0;
	x0 = first_of(x, box->source_w, box->at.w);
	y0 = first_of(y, box->source_h, box->at.h);
	x1 = first_of(x + 1, box->source_w, box->at.w);
	y1 = first_of(y + 1, box->source_h, box->at.h);
	return mean(scene->pixels, x0, x1 > x0 ? x1 : x0 + 1, y0, y1 > y0 ? y1 : y0 + 1);
}

static void copy_boxed(const struct scene *scene, struct rect area, uint32_t *tile)
{
	for (int y = 0; y < area.h; y++)
		for (int x = 0; x < area.w; x++)
			tile[y * TILE + x] = pixel_boxed(scene, area.x + x, area.y + y);
}

static uint32_t blend(uint32_t under, uint32_t over)
{
	uint32_t rest = 255 - (over >> 24), pixel = 0;

	for (int shift = 0; shift < 24; shift += 8) {
		uint32_t sum = (over >> shift & 0xff) + (under >> shift & 0xff) * rest / 255;

		pixel |= (sum > 255 ? 255 : sum) << shift;
	}
	return pixel;
}

/* at: where it lies in the view. */
static void draw_over(const struct cursor *image, struct rect at, struct rect area, uint32_t *tile)
{
	struct rect part = rect_clip((struct rect){at.x - area.x, at.y - area.y, at.w, at.h}, area.w, area.h);

	for (int y = part.y; y < part.y + part.h; y++)
		for (int x = part.x; x < part.x + part.w; x++) {
			int row = area.y + y - at.y, column = area.x + x - at.x;

			tile[y * TILE + x] = blend(tile[y * TILE + x], image->argb[row * image->width + column]);
		}
}

void scene_render(const struct scene *scene, struct rect area, uint32_t *tile)
{
	if (letterbox_is_identity(&scene->box))
		copy_identity(scene, area, tile);
	else
		copy_boxed(scene, area, tile);
	if (scene->banner)
		draw_over(scene->banner, scene_banner(scene), area, tile);
	if (scene->cursor)
		draw_over(scene->cursor, scene_pointer(scene), area, tile);
}
