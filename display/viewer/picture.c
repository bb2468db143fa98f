/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/picture.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fontconfig/fontconfig.h>
#include <pango/pangocairo.h>
#include <string.h>

#define CARD_WIDTH 520.0
#define CARD_PADDING 32.0
#define CARD_RADIUS 12.0
#define BAR_HEIGHT 6.0
#define GAP 14.0
#define TEXT_MAX 2000 /* bytes drawn of each text */

struct colour {
	double r, g, b;
};

static const struct colour background = {0.086, 0.102, 0.129};
static const struct colour card = {0.133, 0.157, 0.196};
static const struct colour rim = {0.22, 0.255, 0.31};
static const struct colour bright = {0.925, 0.937, 0.957};
static const struct colour muted = {0.62, 0.663, 0.729};
static const struct colour accent = {0.306, 0.596, 0.976};
static const struct colour alarm_colour = {0.937, 0.424, 0.388};

struct card_layout {
	PangoLayout *product, *title, *detail;
	double scale, width, height;
};

static void use(cairo_t *cr, struct colour colour)
{
	cairo_set_source_rgb(cr, colour.r, colour.g, colour.b);
}

static void rounded(cairo_t *cr, double x, double y, double w, double h, double radius)
{
	radius = radius > w / 2 ? w / 2 : radius;
	cairo_new_sub_path(cr);
	cairo_arc(cr, x + w - radius, y + radius, radius, -G_PI / 2, 0);
	cairo_arc(cr, x + w - radius, y + h - radius, radius, 0, G_PI / 2);
	cairo_arc(cr, x + radius, y + h - radius, radius, G_PI / 2, G_PI);
	cairo_arc(cr, x + radius, y + radius, radius, G_PI, 3 * G_PI / 2);
	cairo_close_path(cr);
}

static PangoLayout *text_layout(cairo_t *cr, const char *text, const char *font, double size, double width)
{
	PangoLayout *layout = pango_cairo_create_layout(cr);
	PangoFontDescription *description = pango_font_description_from_string(font);
	char *valid = g_utf8_make_valid(text ? text : "", (gssize)strnlen(text ? text : "", TEXT_MAX));

	pango_font_description_set_absolute_size(description, size * PANGO_SCALE);
	pango_layout_set_font_description(layout, description);
	pango_layout_set_width(layout, (int)(width * PANGO_SCALE));
	pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
	pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
	pango_layout_set_height(layout, -8);
	pango_layout_set_text(layout, valid, -1);
	pango_font_description_free(description);
	g_free(valid);
	return layout;
}

static double text_height(PangoLayout *layout)
{
	int height;

	if (pango_layout_get_text(layout)[0] == '\0')
		return 0;
	pango_layout_get_pixel_size(layout, NULL, &height);
	return height;
}

static void text_show(cairo_t *cr, PangoLayout *layout, struct colour colour, double x, double *y, double gap)
{
	double height = text_height(layout);

	if (height == 0)
		return;
	use(cr, colour);
	cairo_move_to(cr, x, *y);
	pango_cairo_show_layout(cr, layout);
	*y += height + gap;
}

/* Small views get a small card; large ones a larger, so that it reads alike from the same chair. */
static void card_measure(struct card_layout *layout, cairo_t *cr, const struct picture_text *text, int width,
			 int height)
{
	double inner;

	layout->scale = width < 640 || height < 400 ? 0.75 : width > 2600 && height > 1400 ? 1.8 : 1.0;
	layout->width = CARD_WIDTH * layout->scale;
	if (layout->width > width)
		layout->width = width;
	inner = layout->width - 2 * CARD_PADDING * layout->scale;
	inner = inner < 40 ? 40 : inner;
	layout->product = text_layout(cr, "hotdesk", "Sans Bold", 13 * layout->scale, inner);
	layout->title = text_layout(cr, text->title, "Sans Bold", 22 * layout->scale, inner);
	layout->detail = text_layout(cr, text->detail, "Sans", 15 * layout->scale, inner);
	layout->height = 2 * CARD_PADDING * layout->scale + text_height(layout->product) + text_height(layout->title) +
			 text_height(layout->detail) + 2 * GAP * layout->scale;
	if (text->percent >= 0)
		layout->height += (BAR_HEIGHT + GAP) * layout->scale;
}

static void card_done(struct card_layout *layout)
{
	g_object_unref(layout->product);
	g_object_unref(layout->title);
	g_object_unref(layout->detail);
}

static void bar_show(cairo_t *cr, int percent, double scale, double x, double y, double width)
{
	double full = (percent > 100 ? 100 : percent) / 100.0 * width;

	use(cr, rim);
	rounded(cr, x, y, width, BAR_HEIGHT * scale, BAR_HEIGHT * scale / 2);
	cairo_fill(cr);
	if (full < BAR_HEIGHT * scale)
		full = BAR_HEIGHT * scale;
	use(cr, accent);
	rounded(cr, x, y, full, BAR_HEIGHT * scale, BAR_HEIGHT * scale / 2);
	cairo_fill(cr);
}

static void card_show(cairo_t *cr, const struct picture_text *text, int width, int height)
{
	struct card_layout layout;
	double x, y, padding;

	card_measure(&layout, cr, text, width, height);
	padding = CARD_PADDING * layout.scale;
	x = (int)((width - layout.width) / 2);
	y = layout.height < height ? (int)((height - layout.height) / 2) : 0;
	rounded(cr, x + 0.5, y + 0.5, layout.width - 1, layout.height - 1, CARD_RADIUS * layout.scale);
	use(cr, card);
	cairo_fill_preserve(cr);
	use(cr, rim);
	cairo_set_line_width(cr, 1);
	cairo_stroke(cr);
	x += padding;
	y += padding;
	text_show(cr, layout.product, text->failed ? alarm_colour : accent, x, &y, GAP * layout.scale);
	text_show(cr, layout.title, bright, x, &y, GAP * layout.scale);
	text_show(cr, layout.detail, muted, x, &y, GAP * layout.scale);
	if (text->percent >= 0)
		bar_show(cr, text->percent, layout.scale, x, y, layout.width - 2 * padding);
	card_done(&layout);
}

/* A quarter of the light: enough to see that it is one's own desktop, too little to take it for live. */
static void dim(struct pixels *to, const struct pixels *from)
{
	for (int y = 0; y < to->height; y++) {
		uint32_t *out = (uint32_t *)(void *)(to->data + (size_t)y * to->stride);
		const uint32_t *in = pixels_line(from, y);

		for (int x = 0; x < to->width; x++)
			out[x] = in[x] >> 2 & UINT32_C(0x3f3f3f);
	}
}

static void paint(cairo_t *cr, const struct picture_text *text, struct pixels *pixels, const struct pixels *behind)
{
	if (behind && behind->width == pixels->width && behind->height == pixels->height) {
		dim(pixels, behind);
		cairo_surface_mark_dirty(cairo_get_target(cr));
	} else {
		use(cr, background);
		cairo_paint(cr);
	}
	card_show(cr, text, pixels->width, pixels->height);
}

int picture_draw(const struct picture_text *text, int width, int height, const struct pixels *behind,
		 struct pixels **ret)
{
	struct pixels *pixels;
	cairo_surface_t *target;
	cairo_t *cr;
	int r = pixels_new((uint32_t)width, (uint32_t)height, &pixels);

	if (r < 0)
		return r;
	target =
	    cairo_image_surface_create_for_data(pixels->data, CAIRO_FORMAT_RGB24, width, height, (int)pixels->stride);
	cr = cairo_create(target);
	paint(cr, text, pixels, behind);
	r = cairo_status(cr) == CAIRO_STATUS_SUCCESS ? 0 : -ENOMEM;
	cairo_destroy(cr);
	cairo_surface_finish(target);
	cairo_surface_destroy(target);
	if (r < 0) {
		pixels_unref(pixels);
		return r;
	}
	*ret = pixels;
	return 0;
}

#define BANNER_WIDTH 480
#define BANNER_HEIGHT_MAX 96
#define BANNER_PADDING 12.0

static int banner_height(cairo_t *cr, PangoLayout *layout)
{
	int height = (int)(text_height(layout) + 2 * BANNER_PADDING);
	double y = BANNER_PADDING;

	height = height > BANNER_HEIGHT_MAX ? BANNER_HEIGHT_MAX : height;
	rounded(cr, 0, 0, BANNER_WIDTH, height, CARD_RADIUS);
	use(cr, card);
	cairo_fill(cr);
	text_show(cr, layout, bright, BANNER_PADDING, &y, 0);
	return height;
}

int picture_banner(const char *sentence, struct cursor **ret)
{
	uint32_t *argb = calloc((size_t)BANNER_WIDTH * BANNER_HEIGHT_MAX, sizeof(*argb));
	cairo_surface_t *target;
	PangoLayout *layout;
	cairo_t *cr;
	int height, r;

	if (!argb)
		return -ENOMEM;
	target = cairo_image_surface_create_for_data((uint8_t *)argb, CAIRO_FORMAT_ARGB32, BANNER_WIDTH,
						     BANNER_HEIGHT_MAX, BANNER_WIDTH * 4);
	cr = cairo_create(target);
	layout = text_layout(cr, sentence, "Sans", 15, BANNER_WIDTH - 2 * BANNER_PADDING);
	pango_layout_set_height(layout, -3);
	height = banner_height(cr, layout);
	g_object_unref(layout);
	cairo_destroy(cr);
	cairo_surface_finish(target);
	cairo_surface_destroy(target);
	r = cursor_new(BANNER_WIDTH, height, 0, 0, argb, (size_t)BANNER_WIDTH * (size_t)height * 4, ret);
	free(argb);
	return r;
}

static void arrow_path(cairo_t *cr)
{
	static const double points[][2] = {{1, 1},      {1, 16},     {4.5, 12.7}, {7, 18.2},
					   {9.3, 17.2}, {6.9, 11.8}, {11.6, 11.8}};

	cairo_move_to(cr, points[0][0], points[0][1]);
	for (size_t i = 1; i < sizeof(points) / sizeof(points[0]); i++)
		cairo_line_to(cr, points[i][0], points[i][1]);
	cairo_close_path(cr);
}

int picture_arrow(struct cursor **ret)
{
	uint32_t argb[14 * 20] = {0};
	cairo_surface_t *target =
	    cairo_image_surface_create_for_data((uint8_t *)argb, CAIRO_FORMAT_ARGB32, 14, 20, 14 * 4);
	cairo_t *cr = cairo_create(target);

	arrow_path(cr);
	cairo_set_source_rgb(cr, 0, 0, 0);
	cairo_fill_preserve(cr);
	cairo_set_source_rgb(cr, 1, 1, 1);
	cairo_set_line_width(cr, 1.2);
	cairo_stroke(cr);
	cairo_destroy(cr);
	cairo_surface_finish(target);
	cairo_surface_destroy(target);
	return cursor_new(14, 20, 1, 1, argb, sizeof(argb), ret);
}

void picture_prepare(void)
{
	const struct picture_text text = {"Starting your desktop 0123456789",
					  "Aa Zz \xc3\xa4\xc3\xb6\xc3\xbc \xe2\x80\xa6", 50, false};
	struct pixels *pixels = NULL;

	if (picture_draw(&text, 640, 480, NULL, &pixels) == 0)
		pixels_unref(pixels);
}

#ifdef __SANITIZE_ADDRESS__
/*
 * The font libraries keep what they have loaded. Freeing it at the end aborts the process when pango's thread that
 * looks fonts up still has some of it, so the leak checker is told instead.
 */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libfontconfig\nleak:libpango\nleak:libcairo\n";
}
#endif
