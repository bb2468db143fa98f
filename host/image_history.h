/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which versions of an image were published, in that order; the last one is published now. Pure. Kept as the file
 * `published` in the image's directory: one number a line, replaced by rename.
 */
#ifndef HOST_IMAGE_HISTORY_H
#define HOST_IMAGE_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#define IMAGE_HISTORY_MAX 64 /* older ones are forgotten */
#define IMAGE_HISTORY_TEXT_SIZE (IMAGE_HISTORY_MAX * sizeof("4294967295\n") + 1)

struct image_history {
	uint32_t versions[IMAGE_HISTORY_MAX]; /* each once */
	size_t n;
};

/* 0: none. */
uint32_t image_history_published(const struct image_history *history);
void image_history_publish(struct image_history *history, uint32_t version);
/* As if it had never been published. */
void image_history_forget(struct image_history *history, uint32_t version);

void image_history_format(const struct image_history *history, char buffer[IMAGE_HISTORY_TEXT_SIZE]);
/* -EBADMSG: not as image_history_format writes it. */
int image_history_parse(const char *text, struct image_history *ret);

#endif
