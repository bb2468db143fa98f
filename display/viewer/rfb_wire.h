/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers of the RFB protocol (RFC 6143 and the rfbproto extensions) and its byte order. */
#ifndef VIEWER_RFB_WIRE_H
#define VIEWER_RFB_WIRE_H

#include <stdint.h>

#define ENCODING_RAW 0
#define ENCODING_HEXTILE 5
#define ENCODING_TIGHT 7
#define ENCODING_ZRLE 16
#define ENCODING_QUALITY_0 (-32)
#define ENCODING_DESKTOP_SIZE (-223)
#define ENCODING_LAST_RECT (-224)
#define ENCODING_POINTER_POS (-232)
#define ENCODING_CURSOR_RICH (-239)
#define ENCODING_CURSOR_X (-240)
#define ENCODING_COMPRESS_0 (-256)
#define ENCODING_QEMU_KEY (-258)
#define ENCODING_QEMU_AUDIO (-259)
#define ENCODING_DESKTOP_NAME (-307)
#define ENCODING_EXT_DESKTOP_SIZE (-308)
#define ENCODING_FENCE (-312)
#define ENCODING_CONTINUOUS (-313)
#define ENCODING_CURSOR_ALPHA (-314)
#define ENCODING_MOUSE_BUTTONS (-316)
#define ENCODING_EXT_CLIPBOARD (-1063131698) /* 0xC0A1E5CE */

#define SERVER_FRAMEBUFFER_UPDATE 0
#define SERVER_CUT_TEXT 3
#define SERVER_END_OF_CONTINUOUS 150
#define SERVER_FENCE 248
#define SERVER_QEMU 255

/* Of QEMU's messages, both ways. */
#define QEMU_KEY 0
#define QEMU_AUDIO 1

#define FENCE_REQUEST UINT32_C(0x80000000)
#define FENCE_KNOWN UINT32_C(7) /* block before, block after, sync next: what one ordered stream does anyway */

/* Why an ExtendedDesktopSize rectangle is sent, and what became of a SetDesktopSize. */
enum size_reason { SIZE_BY_SERVER = 0, SIZE_BY_THIS_VIEWER = 1 };
enum size_result { SIZE_DONE = 0, SIZE_PROHIBITED = 1, SIZE_NO_RESOURCES = 2, SIZE_BAD_LAYOUT = 3 };

static inline uint16_t get_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t get_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void put_u16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void put_u32(uint8_t *at, uint32_t value)
{
	put_u16(at, (uint16_t)(value >> 16));
	put_u16(at + 2, (uint16_t)value);
}

#endif
