/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The drawn picture: what is happening while there is no desktop to show, or why there is none (cairo, pango). */
#ifndef VIEWER_PICTURE_H
#define VIEWER_PICTURE_H

#include "display/viewer/surface.h"

struct picture_text {
	const char *title, *detail; /* UTF-8; bad bytes are replaced */
	int percent;                /* -1: no bar */
	bool failed;                /* detail is the reason */
};

/* Loads the fonts, so that later drawing opens no files for usual texts. */
void picture_prepare(void);

/* `behind`: a picture shown dimmed behind the card where it has the same size, or NULL. *ret is the caller's. 0 or
 * -errno. */
int picture_draw(const struct picture_text *text, int width, int height, const struct pixels *behind,
		 struct pixels **ret);

/* A sentence over the desktop, at most CURSOR_EDGE_MAX pixels wide; the caller's. 0 or -errno. */
int picture_banner(const char *sentence, struct cursor **ret);

/* An arrow for the time in which no guest says how the pointer looks; the caller's. 0 or -errno. */
int picture_arrow(struct cursor **ret);

#endif
