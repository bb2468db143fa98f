/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Frames what a viewer sends (RFC 6143 section 7.5 and the rfbproto extensions) into whole, checked messages: bytes in,
 * messages out. Pure: no system calls, one fixed buffer, no allocation, so a viewer cannot make it grow. What
 * libvncserver must not see never comes out: its messages 7-11 and 15 are consumed here, SetEncodings keeps only the
 * encodings it serves, pixel formats are checked.
 */
#ifndef VIEWER_FILTER_H
#define VIEWER_FILTER_H

#include "common/error.h"
#include "display/viewer/sound_wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILTER_ENCODINGS_MAX 512         /* of one SetEncodings; viewers list fewer than a hundred */
#define FILTER_SCREENS_MAX 16            /* of one SetDesktopSize */
#define FILTER_CUT_TEXT_MAX (128u << 20) /* bytes of a clipboard message; more ends the connection */
#define FILTER_MESSAGE_MAX (4 + 4 * FILTER_ENCODINGS_MAX)
#define FILTER_FENCE_MAX 64 /* bytes of a fence's payload */

enum filter_type {
	FILTER_NONE,        /* consumed: nothing to do */
	FILTER_CLIENT_INIT, /* for libvncserver: bytes */
	FILTER_RFB,         /* for libvncserver: bytes (SetPixelFormat) */
	FILTER_ENCODINGS,   /* for libvncserver: bytes (shortened); features */
	FILTER_REQUEST,     /* for libvncserver: bytes; area, flag = incremental */
	FILTER_KEY,         /* flag = down, keysym, keycode (XT number, 0: not known) */
	FILTER_POINTER,     /* area.x, area.y, buttons */
	FILTER_FENCE,       /* flags, payload */
	FILTER_CONTINUOUS,  /* flag = on, area */
	FILTER_SIZE,        /* SetDesktopSize: area.w, area.h, screens */
	FILTER_CUT_TEXT,    /* a part of a clipboard message: payload, total; flags: FILTER_CUT_... */
	FILTER_SOUND,       /* flags: enum sound_request; sound: of a SOUND_FORMAT, good */
};

#define FILTER_CUT_EXTENDED UINT32_C(1) /* the message is one of the Extended Clipboard */
#define FILTER_CUT_FIRST UINT32_C(2)
#define FILTER_CUT_LAST UINT32_C(4)

/* What a viewer can take beyond the classical encodings; a new SetEncodings replaces all. */
enum filter_feature {
	FEATURE_DESKTOP_SIZE = 1 << 0,     /* NewFBSize, -223 */
	FEATURE_EXT_DESKTOP_SIZE = 1 << 1, /* -308 */
	FEATURE_DESKTOP_NAME = 1 << 2,     /* -307 */
	FEATURE_FENCE = 1 << 3,            /* -312 */
	FEATURE_CONTINUOUS = 1 << 4,       /* -313 */
	FEATURE_QEMU_KEY = 1 << 5,         /* -258 */
	FEATURE_CURSOR_ALPHA = 1 << 6,     /* -314 */
	FEATURE_CURSOR_RICH = 1 << 7,      /* -239 */
	FEATURE_CURSOR_X = 1 << 8,         /* -240 */
	FEATURE_POINTER_POS = 1 << 9,      /* -232 */
	FEATURE_MOUSE_BUTTONS = 1 << 10,   /* -316 */
	FEATURE_CLIPBOARD = 1 << 11,       /* Extended Clipboard, 0xC0A1E5CE */
	FEATURE_SOUND = 1 << 12,           /* QEMU audio, -259 */
};

struct filter_area {
	uint16_t x, y, w, h;
};

struct filter_message {
	enum filter_type type;
	const uint8_t *bytes; /* valid until the next filter_feed */
	size_t size;
	bool flag;
	struct filter_area area;
	uint32_t keysym, keycode;
	uint8_t buttons;
	uint32_t features;
	uint32_t flags;
	const uint8_t *payload; /* of a clipboard message: in the bytes that were fed */
	size_t payload_size, total;
	unsigned screens;
	struct sound_format sound;
};

struct filter {
	bool initialised; /* ClientInit was seen */
	uint32_t features;
	uint32_t skip;                           /* bytes of a refused message's body still to come */
	uint32_t cut_left, cut_total, cut_flags; /* the same of a clipboard message's */
	size_t have;
	uint8_t buffer[FILTER_MESSAGE_MAX];
};

void filter_init(struct filter *filter);

/*
 * Takes bytes up to the end of the next message. *used says how many. Returns 1 with a message in *ret, 0 when more
 * bytes are needed, -EPROTO or -EMSGSIZE (err says which rule was broken) when the connection must end.
 */
int filter_feed(struct filter *filter, const uint8_t *data, size_t size, size_t *used, struct filter_message *ret,
		struct error *err);

#endif
