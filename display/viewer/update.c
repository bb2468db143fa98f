/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/server_internal.h"

#include "common/clock.h"
#include "common/log.h"

#include <rfb/rfbregion.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_SHORT (24u << 10)          /* bytes on their way through this process below which an update may start */
#define SIZE_PATIENCE (UINT64_C(3000000)) /* how long a guest may take to follow a SetDesktopSize */
#define RAW_WIDTH_MAX 4096                /* libvncserver gives up on raw lines of more than 30 000 bytes */
#define REQUESTS_MAX 256                  /* rectangles of requests kept apart */
#define FEATURES_CURSOR (FEATURE_CURSOR_ALPHA | FEATURE_CURSOR_RICH | FEATURE_CURSOR_X)
#define FEATURES_SIZE (FEATURE_DESKTOP_SIZE | FEATURE_EXT_DESKTOP_SIZE)

static bool output_short(struct server *server)
{
	return server_unsent(server) < OUTPUT_SHORT;
}

/* The main thread wakes us when it has moved everything; asked before the check, so that no wake-up is lost. */
static bool output_ready(struct server *server)
{
	if (output_short(server))
		return true;
	atomic_store(&server->wants_output, true);
	return output_short(server);
}

void update_format(rfbScreenInfoPtr screen)
{
	screen->serverFormat.depth = 24;
	screen->serverFormat.redShift = 16;
	screen->serverFormat.greenShift = 8;
	screen->serverFormat.blueShift = 0;
}

static void set_framebuffer(struct server *server, int width, int height)
{
	uint32_t *framebuffer = calloc((size_t)width * (size_t)height, sizeof(*framebuffer));

	if (!framebuffer) {
		log_error("no memory for a framebuffer of %dx%d", width, height);
		rfbCloseClient(server->client);
		return;
	}
	rfbNewFramebuffer(server->screen, (char *)framebuffer, width, height, 8, 3, 4);
	update_format(server->screen);
	rfbSetTranslateFunction(server->client);
	free(server->framebuffer);
	server->framebuffer = framebuffer;
	server->next_line = 0;
}

/* Fits the view to the picture, or the picture into the view where the viewer cannot change its size. */
static void fit_view(struct server *server, bool resizable)
{
	const struct pixels *pixels = server->state.pixels;
	int width = server->screen->width, height = server->screen->height;

	if (resizable && (width != pixels->width || height != pixels->height)) {
		width = pixels->width;
		height = pixels->height;
		set_framebuffer(server, width, height);
		server->size_due = true;
		server->size_reason = server->size_asked ? SIZE_BY_THIS_VIEWER : SIZE_BY_SERVER;
		server->size_result = SIZE_DONE;
		server->size_asked = false;
	}
	letterbox_fit(&server->box, pixels->width, pixels->height, width, height);
	surface_publish_box(server->surface, &server->box);
	tiles_clear(&server->stale);
	tiles_mark(&server->stale, (struct rect){0, 0, width, height});
}

static void take_damage(struct server *server)
{
	struct tiles *damage = &server->state.damage;

	if (letterbox_is_identity(&server->box)) {
		tiles_add(&server->stale, damage);
	} else {
		for (int column = 0, row = 0; tiles_next(damage, &column, &row); column++) {
			struct rect tile = {column * TILE, row * TILE, TILE, TILE};

			tiles_mark(&server->stale, letterbox_rect(&server->box, tile));
		}
	}
	tiles_clear(damage);
}

static const struct cursor *shown_cursor(const struct server *server)
{
	return server->state.pointer_on ? server->state.cursor : NULL;
}

static struct scene scene_now(const struct server *server)
{
	bool draw = !(server->features & FEATURES_CURSOR);

	return (struct scene){
	    server->state.pixels,    server->box,         draw ? shown_cursor(server) : NULL, server->state.pointer_x,
	    server->state.pointer_y, server->state.banner};
}

static void note_pointer(struct server *server)
{
	struct surface_state *state = &server->state;

	if (state->cursor_serial != server->cursor_serial)
		server->cursor_due = true;
	if (state->warp_serial != server->warp_serial)
		server->pointer_due = true;
	server->cursor_serial = state->cursor_serial;
	server->warp_serial = state->warp_serial;
}

/* Where the pointer is part of the picture, both its old and its new place may have changed. */
static void mark_pointer(struct server *server, const struct scene *scene)
{
	struct rect at = rect_clip(scene_pointer(scene), server->screen->width, server->screen->height);

	if (server->drawn_pointer.w)
		tiles_mark(&server->stale, server->drawn_pointer);
	if (at.w)
		tiles_mark(&server->stale, at);
	server->drawn_pointer = at;
}

static void mark_banner(struct server *server, const struct scene *scene)
{
	struct rect at = rect_clip(scene_banner(scene), server->screen->width, server->screen->height);
	const struct rect *drawn = &server->drawn_banner;

	if (server->banner_serial == server->state.banner_serial && drawn->x == at.x && drawn->w == at.w)
		return;
	if (drawn->w)
		tiles_mark(&server->stale, *drawn);
	if (at.w)
		tiles_mark(&server->stale, at);
	server->banner_serial = server->state.banner_serial;
	server->drawn_banner = at;
}

static bool take_surface(struct server *server, bool resizable)
{
	surface_take(server->surface, &server->state);
	if (!server->state.pixels)
		return false;
	if (server->state.pixels->width != server->box.source_w ||
	    server->state.pixels->height != server->box.source_h || (resizable && !letterbox_is_identity(&server->box)))
		fit_view(server, resizable);
	take_damage(server);
	note_pointer(server);
	return server->client->sock != RFB_INVALID_SOCKET;
}

void update_begin(struct server *server)
{
	surface_take(server->surface, &server->state);
	if (!server->state.pixels)
		return;
	fit_view(server, true);
	note_pointer(server);
	server->size_due = false; /* ServerInit says it */
}

static void mark_modified(struct server *server, struct rect rect)
{
	rfbMarkRectAsModified(server->screen, rect.x, rect.y, rect.x + rect.w, rect.y + rect.h);
}

/* Brings the private framebuffer up to date; what really changed becomes libvncserver's modified region. */
static void compare_tiles(struct server *server)
{
	struct scene scene = scene_now(server);
	uint32_t tile[TILE * TILE];
	int width = server->screen->width, height = server->screen->height;

	if (scene.cursor || server->drawn_pointer.w)
		mark_pointer(server, &scene);
	mark_banner(server, &scene);
	for (int column = 0, row = 0; tiles_next(&server->stale, &column, &row); column++) {
		struct rect area = rect_clip((struct rect){column * TILE, row * TILE, TILE, TILE}, width, height);
		struct rect changed;

		if (!area.w)
			continue;
		scene_render(&scene, area, tile);
		if (tile_update(server->framebuffer, width, area, tile, &changed))
			mark_modified(server, changed);
	}
	tiles_clear(&server->stale);
}

static bool send_rects(struct server *server, struct rects *rects)
{
	bool sent = rects_finish(rects) && server_send(server, rects->data, rects->size);

	rects_done(rects);
	return sent;
}

static void forget_requests(struct server *server)
{
	LOCK(server->client->updateMutex);
	sraRgnMakeEmpty(server->client->requestedRegion);
	UNLOCK(server->client->updateMutex);
}

/*
 * A size goes alone and first: all rectangles behind it are of that size, and TigerVNC's viewer looks only once, at the
 * end of its first update, whether it may ask for another.
 */
static bool send_size(struct server *server)
{
	struct rects rects = {0};

	if (!server->size_due)
		return false;
	if (server->features & FEATURE_EXT_DESKTOP_SIZE)
		rects_ext_size(&rects, server->size_reason, server->size_result, server->screen->width,
			       server->screen->height);
	else if (server->features & FEATURE_DESKTOP_SIZE)
		rects_size(&rects, server->screen->width, server->screen->height);
	server->size_due = false;
	server->size_reason = SIZE_BY_SERVER;
	server->size_result = SIZE_DONE;
	return send_rects(server, &rects);
}

static void write_pixels(void *userdata, const uint32_t *pixels, int width, int height, uint8_t *out)
{
	rfbClientPtr client = userdata;

	client->translateFn(client->translateLookupTable, &client->screen->serverFormat, &client->format,
			    (char *)(uintptr_t)pixels, (char *)out, width * 4, width, height);
}

static void add_cursor(struct server *server, struct rects *rects)
{
	const struct cursor *cursor = shown_cursor(server);
	struct pixel_writer writer = {server->client->format.bitsPerPixel / 8, write_pixels, server->client};

	if (server->features & FEATURE_CURSOR_ALPHA)
		rects_cursor_alpha(rects, cursor);
	else if (server->features & FEATURE_CURSOR_RICH)
		rects_cursor_rich(rects, cursor, &writer);
	else if (server->features & FEATURE_CURSOR_X)
		rects_cursor_x(rects, cursor);
}

static void add_pointer(struct server *server, struct rects *rects)
{
	int x, y;

	letterbox_to_view(&server->box, server->state.pointer_x, server->state.pointer_y, &x, &y);
	if ((server->features & FEATURE_POINTER_POS) && x >= 0 && y >= 0)
		rects_pointer(rects, x, y);
}

/* Alone and beside what was requested: gtk-vnc asks for the next update after every rectangle but this one. */
static void offer_sound(struct server *server)
{
	struct rects rects = {0};

	if (!server->sound_due || !atomic_load(&server->sound_allowed))
		return;
	server->sound_due = false;
	rects_announce(&rects, ENCODING_QEMU_AUDIO);
	send_rects(server, &rects);
}

static bool send_own(struct server *server)
{
	struct rects rects = {0};

	if (server->key_due)
		rects_announce(&rects, ENCODING_QEMU_KEY);
	if (server->name_due)
		rects_name(&rects, server->name);
	if (server->cursor_due)
		add_cursor(server, &rects);
	if (server->pointer_due)
		add_pointer(server, &rects);
	server->key_due = server->name_due = server->cursor_due = server->pointer_due = false;
	return send_rects(server, &rects);
}

/* What is wanted and changed; the caller's (sraRgnDestroy). */
static sraRegionPtr region_due(struct server *server)
{
	sraRegionPtr region = sraRgnCreateRgn(server->client->modifiedRegion);

	sraRgnAnd(region, server->client->requestedRegion);
	return region;
}

static uint64_t region_area(sraRegionPtr region)
{
	sraRectangleIterator *i = sraRgnGetIterator(region);
	uint64_t area = 0;
	sraRect rect;

	while (sraRgnIteratorNext(i, &rect))
		area += (uint64_t)(rect.x2 - rect.x1) * (uint64_t)(rect.y2 - rect.y1);
	sraRgnReleaseIterator(i);
	return area;
}

/* Keeps of `region` what lies in lines [y1, y2) and columns below `x2`; returns its area. */
static uint64_t region_cut(sraRegionPtr region, int y1, int y2, int x2)
{
	sraRegionPtr strip = sraRgnCreateRect(0, y1, x2, y2);

	sraRgnAnd(region, strip);
	sraRgnDestroy(strip);
	return region_area(region);
}

static bool region_top(sraRegionPtr region, int from, int width, int height, int *ret)
{
	sraRegionPtr below = sraRgnCreateRgn(region), box;
	sraRect rect;
	bool any;

	region_cut(below, from, height, width);
	box = sraRgnBBox(below);
	any = sraRgnPopRect(box, &rect, 0);
	if (any)
		*ret = rect.y1;
	sraRgnDestroy(box);
	sraRgnDestroy(below);
	return any;
}

/* libvncserver's raw lines are limited: the left part goes first where the view is wider. */
static int region_columns(sraRegionPtr region, int width)
{
	sraRegionPtr left = sraRgnCreateRgn(region);
	bool any = region_cut(left, 0, PICTURE_EDGE_MAX, RAW_WIDTH_MAX) > 0;

	sraRgnDestroy(left);
	return any && width > RAW_WIDTH_MAX ? RAW_WIDTH_MAX : width;
}

/* Cuts `region` to a band of about the pixels that one update may have, going round the picture so that all of it gets
 * its turn. */
static void region_band(struct server *server, sraRegionPtr region)
{
	int width = server->screen->width, height = server->screen->height, top = 0, lines;
	uint64_t pixels = pace_pixels(&server->pace);
	int columns = region_columns(region, width);

	if (server->next_line >= height || !region_top(region, server->next_line, columns, height, &top))
		region_top(region, 0, columns, height, &top);
	lines = (int)(pixels / (uint64_t)columns);
	for (lines = lines < 1 ? 1 : lines; top + lines < height; lines *= 2) {
		sraRegionPtr more = sraRgnCreateRgn(region);
		uint64_t area = region_cut(more, top, top + 2 * lines, columns);

		sraRgnDestroy(more);
		if (area > pixels)
			break;
	}
	region_cut(region, top, top + lines, columns);
	server->next_line = top + lines;
}

void update_ping(struct server *server)
{
	uint8_t fence[13] = {SERVER_FENCE};
	uint32_t number;

	if (!(server->features & FEATURE_FENCE) ||
	    !pace_ping(&server->pace, server_written(server), clock_usec(), &number))
		return;
	server_sound_fence(server, number);
	put_u32(fence + 4, FENCE_REQUEST | 1); /* echoed when all before it was dealt with */
	fence[8] = 4;
	put_u32(fence + 9, number);
	server_send(server, fence, sizeof(fence));
}

static bool send_pixels(struct server *server, sraRegionPtr region)
{
	uint64_t before = server_written(server), area;
	bool whole = server->whole_wanted && !server->continuous && server->screen->width <= RAW_WIDTH_MAX;

	if (!whole)
		region_band(server, region);
	server->whole_wanted = false;
	area = region_area(region);
	if (!rfbSendFramebufferUpdate(server->client, region))
		return false;
	pace_learn(&server->pace, area, server_written(server) - before);
	update_ping(server);
	return true;
}

static void renew_continuous(struct server *server)
{
	const struct filter_area *area = &server->continuous_area;
	struct rect rect =
	    rect_clip((struct rect){area->x, area->y, area->w, area->h}, server->screen->width, server->screen->height);
	sraRegionPtr region;

	if (!server->continuous || !rect.w)
		return;
	region = sraRgnCreateRect(rect.x, rect.y, rect.x + rect.w, rect.y + rect.h);
	LOCK(server->client->updateMutex);
	sraRgnOr(server->client->requestedRegion, region);
	UNLOCK(server->client->updateMutex);
	sraRgnDestroy(region);
}

static void check_deadline(struct server *server)
{
	if (!server->size_asked || clock_usec() < server->size_deadline)
		return;
	server->size_asked = false;
	server->size_due = true;
	server->size_reason = SIZE_BY_THIS_VIEWER;
	server->size_result = SIZE_PROHIBITED;
}

/* Own rectangles go before pixels, but not before those of a whole picture, which some viewers take as the one answer.
 */
static bool send_next(struct server *server)
{
	sraRegionPtr region = region_due(server);
	bool pixels = !sraRgnEmpty(region), sent = false;

	if (!(pixels && server->whole_wanted)) {
		offer_sound(server);
		sent = send_own(server);
	}
	if (sent && !pixels)
		forget_requests(server);
	if (!sent && pixels)
		sent = send_pixels(server, region);
	sraRgnDestroy(region);
	return sent;
}

static bool send_update(struct server *server)
{
	if (sraRgnEmpty(server->client->requestedRegion) || !output_ready(server) ||
	    !pace_open(&server->pace, server_written(server)))
		return false;
	if (!take_surface(server, server->features & FEATURES_SIZE))
		return false;
	if (send_size(server))
		return true;
	compare_tiles(server);
	return send_next(server);
}

bool update_step(struct server *server)
{
	bool sent;

	check_deadline(server);
	renew_continuous(server);
	sent = send_update(server);
	if (sent)
		server_sound_update(server);
	return sent;
}

void update_features(struct server *server, uint32_t features)
{
	uint8_t end[1] = {SERVER_END_OF_CONTINUOUS};
	uint32_t fresh = features & ~server->features;

	server->features = features;
	if (!(features & FEATURE_FENCE))
		server->pace.answered = false;
	server->key_due |= (fresh & FEATURE_QEMU_KEY) != 0;
	server->sound_due = (features & FEATURE_SOUND) && (server->sound_due || (fresh & FEATURE_SOUND));
	server->name_due |= (fresh & FEATURE_DESKTOP_NAME) != 0;
	server->cursor_due = true;
	if (!(features & FEATURE_EXT_DESKTOP_SIZE))
		server->size_asked = false;
	if (fresh & FEATURE_FENCE)
		update_ping(server);
	if (fresh & FEATURE_CONTINUOUS)
		server_send(server, end, sizeof(end));
}

void update_requested(struct server *server, const struct filter_message *request)
{
	rfbClientPtr client = server->client;

	if (!request->flag) {
		server->whole_wanted = true;
		if (server->features & FEATURE_EXT_DESKTOP_SIZE)
			server->size_due = true;
	}
	if (client->sock == RFB_INVALID_SOCKET || sraRgnCountRects(client->requestedRegion) <= REQUESTS_MAX)
		return;
	LOCK(client->updateMutex);
	sraRegionPtr box = sraRgnBBox(client->requestedRegion);

	sraRgnDestroy(client->requestedRegion);
	client->requestedRegion = box;
	UNLOCK(client->updateMutex);
}

void update_continuous(struct server *server, const struct filter_message *message)
{
	uint8_t end[1] = {SERVER_END_OF_CONTINUOUS};

	server->continuous = message->flag;
	server->continuous_area = message->area;
	if (!message->flag)
		server_send(server, end, sizeof(end));
}

void update_size_asked(struct server *server, const struct filter_message *message)
{
	if (!(server->features & FEATURE_EXT_DESKTOP_SIZE))
		return;
	if (!message->flag || (message->area.w == server->screen->width && message->area.h == server->screen->height)) {
		server->size_due = true;
		server->size_reason = SIZE_BY_THIS_VIEWER;
		server->size_result = message->flag ? SIZE_DONE : SIZE_BAD_LAYOUT;
		return;
	}
	server->size_asked = true;
	server->size_deadline = clock_usec() + SIZE_PATIENCE;
}

int64_t update_wait(const struct server *server)
{
	uint64_t now = clock_usec();

	if (!server->size_asked)
		return -1;
	return now >= server->size_deadline ? 0 : (int64_t)(server->size_deadline - now);
}
