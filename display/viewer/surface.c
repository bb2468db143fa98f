/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/surface.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void surface_init(struct surface *surface, void (*changed)(void *userdata), void *userdata)
{
	memset(surface, 0, sizeof(*surface));
	pthread_mutex_init(&surface->lock, NULL);
	surface->changed = changed;
	surface->userdata = userdata;
	letterbox_fit(&surface->box, 1, 1, 1, 1);
}

void surface_state_done(struct surface_state *state)
{
	pixels_unref(state->pixels);
	cursor_unref(state->cursor);
	cursor_unref(state->banner);
	state->pixels = NULL;
	state->cursor = state->banner = NULL;
}

void surface_done(struct surface *surface)
{
	surface_state_done(&surface->now);
	pthread_mutex_destroy(&surface->lock);
}

static void surface_unlock_changed(struct surface *surface)
{
	pthread_mutex_unlock(&surface->lock);
	surface->changed(surface->userdata);
}

void surface_set_pixels(struct surface *surface, struct pixels *pixels)
{
	struct pixels *old;

	pthread_mutex_lock(&surface->lock);
	old = surface->now.pixels;
	surface->now.pixels = pixels;
	surface->now.pixels_serial++;
	tiles_clear(&surface->now.damage);
	tiles_mark(&surface->now.damage, (struct rect){0, 0, pixels->width, pixels->height});
	surface_unlock_changed(surface);
	pixels_unref(old);
}

void surface_damage(struct surface *surface, struct rect rect)
{
	pthread_mutex_lock(&surface->lock);
	if (surface->now.pixels)
		tiles_mark(&surface->now.damage,
			   rect_clip(rect, surface->now.pixels->width, surface->now.pixels->height));
	surface_unlock_changed(surface);
}

void surface_set_cursor(struct surface *surface, struct cursor *cursor)
{
	struct cursor *old;

	pthread_mutex_lock(&surface->lock);
	old = surface->now.cursor;
	surface->now.cursor = cursor;
	surface->now.cursor_serial++;
	surface_unlock_changed(surface);
	cursor_unref(old);
}

void surface_set_banner(struct surface *surface, struct cursor *banner)
{
	struct cursor *old;

	pthread_mutex_lock(&surface->lock);
	old = surface->now.banner;
	surface->now.banner = banner;
	surface->now.banner_serial++;
	surface_unlock_changed(surface);
	cursor_unref(old);
}

void surface_move_pointer(struct surface *surface, int x, int y, bool on, bool warped)
{
	pthread_mutex_lock(&surface->lock);
	if (surface->now.pointer_on != on)
		surface->now.cursor_serial++;
	surface->now.pointer_x = x;
	surface->now.pointer_y = y;
	surface->now.pointer_on = on;
	surface->now.warp_serial += warped;
	surface_unlock_changed(surface);
}

struct pixels *surface_pixels(struct surface *surface)
{
	struct pixels *pixels = NULL;

	pthread_mutex_lock(&surface->lock);
	if (surface->now.pixels)
		pixels = pixels_ref(surface->now.pixels);
	pthread_mutex_unlock(&surface->lock);
	return pixels;
}

struct letterbox surface_box(struct surface *surface)
{
	struct letterbox box;

	pthread_mutex_lock(&surface->lock);
	box = surface->box;
	pthread_mutex_unlock(&surface->lock);
	return box;
}

void surface_publish_box(struct surface *surface, const struct letterbox *box)
{
	pthread_mutex_lock(&surface->lock);
	surface->box = *box;
	pthread_mutex_unlock(&surface->lock);
}

static struct cursor *cursor_ref(struct cursor *cursor)
{
	if (cursor)
		__atomic_add_fetch(&cursor->refs, 1, __ATOMIC_RELAXED);
	return cursor;
}

void surface_take(struct surface *surface, struct surface_state *state)
{
	struct surface_state old = *state;

	pthread_mutex_lock(&surface->lock);
	*state = surface->now;
	if (state->pixels)
		pixels_ref(state->pixels);
	cursor_ref(state->cursor);
	cursor_ref(state->banner);
	if (old.pixels_serial == state->pixels_serial)
		tiles_add(&state->damage, &old.damage);
	tiles_clear(&surface->now.damage);
	pthread_mutex_unlock(&surface->lock);
	surface_state_done(&old);
}

int cursor_new(int width, int height, int hot_x, int hot_y, const void *argb, size_t size, struct cursor **ret)
{
	struct cursor *cursor;

	if (width < 1 || height < 1 || width > CURSOR_EDGE_MAX || height > CURSOR_EDGE_MAX ||
	    size != (size_t)width * (size_t)height * 4)
		return -EINVAL;
	cursor = malloc(sizeof(*cursor) + size);
	if (!cursor)
		return -ENOMEM;
	*cursor = (struct cursor){1, width, height, hot_x, hot_y};
	if (hot_x < 0 || hot_x >= width)
		cursor->hot_x = 0;
	if (hot_y < 0 || hot_y >= height)
		cursor->hot_y = 0;
	memcpy(cursor->argb, argb, size);
	*ret = cursor;
	return 0;
}

void cursor_unref(struct cursor *cursor)
{
	if (cursor && __atomic_sub_fetch(&cursor->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(cursor);
}
