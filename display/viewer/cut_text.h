/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The clipboard's messages of RFB: ClientCutText and ServerCutText in Latin-1 (RFC 6143 7.5.6, 7.6.4), and those of the
 * Extended Clipboard pseudo-encoding (rfbproto): text alone, asked for and provided zipped. Pure. Texts here are UTF-8
 * with LF line ends and no NUL. What is broken or too long is dropped; it never ends the stream.
 */
#ifndef VIEWER_CUT_TEXT_H
#define VIEWER_CUT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#define CUT_FORMAT_TEXT UINT32_C(1)
#define CUT_CAPS (UINT32_C(1) << 24)
#define CUT_REQUEST (UINT32_C(1) << 25)
#define CUT_PEEK (UINT32_C(1) << 26)
#define CUT_NOTIFY (UINT32_C(1) << 27)
#define CUT_PROVIDE (UINT32_C(1) << 28)

enum cut_text_kind {
	CUT_TEXT_NONE,     /* more is needed, or it was dropped */
	CUT_TEXT_TEXT,     /* text, size: the whole one, classical or provided */
	CUT_TEXT_TOO_LONG, /* there was one, over the limit */
	CUT_TEXT_ACTION,   /* flags: caps, request, peek or notify, and formats */
};

struct cut_text_message {
	enum cut_text_kind kind;
	uint32_t flags;
	char *text; /* the caller's */
	size_t size;
};

/* One message after the other, in parts. Memory grows by what was received, or unzipped, up to the limit. */
struct cut_text_reader {
	size_t text_max;
	bool extended, flags_known, unzipping, too_long, broken;
	uint8_t head[4]; /* the flags; then the text's unzipped length */
	size_t have;     /* of it */
	uint32_t flags;
	z_stream stream;
	bool length_known;
	size_t length; /* of the text, as it says */
	char *data;
	size_t size, room;
};

void cut_text_reader_init(struct cut_text_reader *reader, size_t text_max);
void cut_text_reader_done(struct cut_text_reader *reader);

/* total: bytes of the whole message, of which these are the next. */
struct cut_text_message cut_text_read(struct cut_text_reader *reader, bool first, bool last, bool extended,
				      size_t total, const uint8_t *data, size_t size);

#define CUT_TEXT_ACTION_SIZE 16
/* A message with these flags and no body (CUT_CAPS: nothing may be provided unasked). Returns its bytes. */
size_t cut_text_action(uint8_t to[static CUT_TEXT_ACTION_SIZE], uint32_t flags);

/* Whole messages to a viewer; the caller's (free), or NULL for want of memory. */
uint8_t *cut_text_provide(const char *text, size_t size, size_t *ret_size);
uint8_t *cut_text_latin1(const char *text, size_t size, size_t *ret_size); /* '?' for what does not fit */

#endif
