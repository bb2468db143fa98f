/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/filter.h"

#include "display/viewer/rfb_wire.h"

#include <errno.h>
#include <string.h>

enum client_message {
	CLIENT_SET_PIXEL_FORMAT = 0,
	CLIENT_SET_ENCODINGS = 2,
	CLIENT_UPDATE_REQUEST = 3,
	CLIENT_KEY = 4,
	CLIENT_POINTER = 5,
	CLIENT_CUT_TEXT = 6,
	CLIENT_FILE_TRANSFER = 7,
	CLIENT_SET_SCALE = 8,
	CLIENT_SET_INPUT = 9,
	CLIENT_SET_WINDOW = 10,
	CLIENT_TEXT_CHAT = 11,
	CLIENT_PALM_SCALE = 15,
	CLIENT_CONTINUOUS = 150,
	CLIENT_FENCE = 248,
	CLIENT_XVP = 250,
	CLIENT_SET_DESKTOP_SIZE = 251,
	CLIENT_QEMU = 255,
};

#define SMALL_BODY_MAX 4096u /* text chat: its own limit in the protocol */
#define FILE_BODY_MAX (1u << 20)
#define POINTER_EXTENDED 0x80

/* How long the message in the buffer is, as far as its first `have` bytes tell; `header` bytes are needed to know. */
typedef int (*frame_fn)(struct filter *filter, size_t *length, struct error *err);
typedef int (*parse_fn)(struct filter *filter, struct filter_message *ret, struct error *err);

struct message_kind {
	uint8_t type;
	size_t header;
	frame_fn frame; /* NULL: header is all */
	parse_fn parse; /* NULL: dropped */
};

static int refuse(struct error *err, int code, const char *what)
{
	return error_set(err, code, "the viewer broke the RFB protocol: %s", what);
}

static int frame_encodings(struct filter *filter, size_t *length, struct error *err)
{
	unsigned count = get_u16(filter->buffer + 2);

	if (count > FILTER_ENCODINGS_MAX)
		return refuse(err, -EMSGSIZE, "SetEncodings with too many encodings");
	*length = 4 + 4 * (size_t)count;
	return 0;
}

/* Viewers that list -316 put a second byte of buttons behind a flagged message. */
static int frame_pointer(struct filter *filter, size_t *length, struct error *err)
{
	(void)err;
	if ((filter->features & FEATURE_MOUSE_BUTTONS) && (filter->buffer[1] & POINTER_EXTENDED))
		*length = 7;
	return 0;
}

static int frame_cut_text(struct filter *filter, size_t *length, struct error *err)
{
	uint32_t size = get_u32(filter->buffer + 4);

	(void)length;
	filter->cut_flags = FILTER_CUT_FIRST;
	/* The extended clipboard marks its messages by a negative length. */
	if (size & UINT32_C(0x80000000)) {
		size = -size;
		filter->cut_flags |= FILTER_CUT_EXTENDED;
	}
	if (size > FILTER_CUT_TEXT_MAX)
		return refuse(err, -EMSGSIZE, "a clipboard text that is too long");
	filter->cut_left = filter->cut_total = size;
	return 0;
}

static int frame_file(struct filter *filter, size_t *length, struct error *err)
{
	uint32_t size = get_u32(filter->buffer + 8);

	(void)length;
	if (size > FILE_BODY_MAX)
		return refuse(err, -EMSGSIZE, "file transfer, which is not offered");
	filter->skip = size;
	return 0;
}

static int frame_chat(struct filter *filter, size_t *length, struct error *err)
{
	uint32_t size = get_u32(filter->buffer + 4);

	(void)length;
	if (size >= UINT32_C(0xfffffffd)) /* open, close, finished: no text follows */
		return 0;
	if (size > SMALL_BODY_MAX)
		return refuse(err, -EMSGSIZE, "a chat text that is too long");
	filter->skip = size;
	return 0;
}

static int frame_fence(struct filter *filter, size_t *length, struct error *err)
{
	if (filter->buffer[8] > FILTER_FENCE_MAX)
		return refuse(err, -EMSGSIZE, "a fence of more than 64 bytes");
	*length = 9 + (size_t)filter->buffer[8];
	return 0;
}

static int frame_size(struct filter *filter, size_t *length, struct error *err)
{
	if (filter->buffer[6] > FILTER_SCREENS_MAX)
		return refuse(err, -EMSGSIZE, "SetDesktopSize with too many screens");
	*length = 8 + 16 * (size_t)filter->buffer[6];
	return 0;
}

static int frame_qemu(struct filter *filter, size_t *length, struct error *err)
{
	switch (filter->buffer[1]) {
	case QEMU_KEY:
		*length = 12;
		return 0;
	case QEMU_AUDIO:
		*length = get_u16(filter->buffer + 2) == SOUND_FORMAT ? 10 : 4;
		return 0;
	default:
		return refuse(err, -EPROTO, "an unknown QEMU message");
	}
}

static bool channel_good(uint16_t max, uint8_t shift, uint8_t bits)
{
	unsigned width = 0;

	if (max == 0 || (max & (max + 1u)) != 0)
		return false;
	for (unsigned m = max; m; m >>= 1)
		width++;
	return shift + width <= bits;
}

/* libvncserver builds its tables with these numbers and checks none of them. */
static int parse_format(struct filter *filter, struct filter_message *ret, struct error *err)
{
	const uint8_t *format = filter->buffer + 4;
	uint8_t bits = format[0];

	if (bits != 8 && bits != 16 && bits != 32)
		return refuse(err, -EPROTO, "a pixel format that is not of 8, 16 or 32 bits");
	if (!format[3] && bits != 8)
		return refuse(err, -EPROTO, "a colour map of more than 8 bits");
	if (format[3] && (!channel_good(get_u16(format + 4), format[10], bits) ||
			  !channel_good(get_u16(format + 6), format[11], bits) ||
			  !channel_good(get_u16(format + 8), format[12], bits)))
		return refuse(err, -EPROTO, "a pixel format whose channels do not fit");
	ret->type = FILTER_RFB;
	return 0;
}

static const struct {
	int32_t encoding;
	uint32_t feature;
} features[] = {
    {ENCODING_DESKTOP_SIZE, FEATURE_DESKTOP_SIZE},
    {ENCODING_EXT_DESKTOP_SIZE, FEATURE_EXT_DESKTOP_SIZE},
    {ENCODING_DESKTOP_NAME, FEATURE_DESKTOP_NAME},
    {ENCODING_FENCE, FEATURE_FENCE},
    {ENCODING_CONTINUOUS, FEATURE_CONTINUOUS},
    {ENCODING_QEMU_KEY, FEATURE_QEMU_KEY},
    {ENCODING_CURSOR_ALPHA, FEATURE_CURSOR_ALPHA},
    {ENCODING_CURSOR_RICH, FEATURE_CURSOR_RICH},
    {ENCODING_CURSOR_X, FEATURE_CURSOR_X},
    {ENCODING_POINTER_POS, FEATURE_POINTER_POS},
    {ENCODING_MOUSE_BUTTONS, FEATURE_MOUSE_BUTTONS},
    {ENCODING_EXT_CLIPBOARD, FEATURE_CLIPBOARD},
    {ENCODING_QEMU_AUDIO, FEATURE_SOUND},
};

static uint32_t feature_of(int32_t encoding)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (features[i].encoding == encoding)
			return features[i].feature;
	return 0;
}

/* What libvncserver may hear of: the encodings served, their levels and LastRect. All else would start code of its own.
 */
static bool for_libvncserver(int32_t encoding)
{
	switch (encoding) {
	case ENCODING_RAW:
	case ENCODING_HEXTILE:
	case ENCODING_TIGHT:
	case ENCODING_ZRLE:
	case ENCODING_LAST_RECT:
		return true;
	default:
		return (encoding >= ENCODING_QUALITY_0 && encoding <= ENCODING_QUALITY_0 + 9) ||
		       (encoding >= ENCODING_COMPRESS_0 && encoding <= ENCODING_COMPRESS_0 + 9);
	}
}

static int parse_encodings(struct filter *filter, struct filter_message *ret, struct error *err)
{
	unsigned count = get_u16(filter->buffer + 2), kept = 0;

	(void)err;
	filter->features = 0;
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *at = filter->buffer + 4 + 4 * (size_t)i;
		int32_t encoding = (int32_t)get_u32(at);

		filter->features |= feature_of(encoding);
		if (for_libvncserver(encoding))
			memmove(filter->buffer + 4 + 4 * (size_t)kept++, at, 4);
	}
	put_u16(filter->buffer + 2, (uint16_t)kept);
	ret->type = FILTER_ENCODINGS;
	ret->size = 4 + 4 * (size_t)kept;
	ret->features = filter->features;
	return 0;
}

static struct filter_area area_at(const uint8_t *at)
{
	return (struct filter_area){get_u16(at), get_u16(at + 2), get_u16(at + 4), get_u16(at + 6)};
}

static int parse_request(struct filter *filter, struct filter_message *ret, struct error *err)
{
	(void)err;
	ret->area = area_at(filter->buffer + 2);
	ret->flag = filter->buffer[1] != 0;
	if (ret->area.w && ret->area.h)
		ret->type = FILTER_REQUEST;
	return 0;
}

static int parse_key(struct filter *filter, struct filter_message *ret, struct error *err)
{
	(void)err;
	ret->type = FILTER_KEY;
	ret->flag = filter->buffer[1] != 0;
	ret->keysym = get_u32(filter->buffer + 4);
	return 0;
}

static int parse_pointer(struct filter *filter, struct filter_message *ret, struct error *err)
{
	(void)err;
	ret->type = FILTER_POINTER;
	ret->buttons = filter->buffer[1] & (uint8_t)~POINTER_EXTENDED;
	ret->area.x = get_u16(filter->buffer + 2);
	ret->area.y = get_u16(filter->buffer + 4);
	return 0;
}

static int parse_continuous(struct filter *filter, struct filter_message *ret, struct error *err)
{
	(void)err;
	ret->type = FILTER_CONTINUOUS;
	ret->flag = filter->buffer[1] != 0;
	ret->area = area_at(filter->buffer + 2);
	return 0;
}

static int parse_fence(struct filter *filter, struct filter_message *ret, struct error *err)
{
	(void)err;
	ret->type = FILTER_FENCE;
	ret->flags = get_u32(filter->buffer + 4);
	ret->payload = filter->buffer + 9;
	ret->payload_size = filter->buffer[8];
	return 0;
}

static int parse_size(struct filter *filter, struct filter_message *ret, struct error *err)
{
	(void)err;
	ret->type = FILTER_SIZE;
	ret->area.w = get_u16(filter->buffer + 2);
	ret->area.h = get_u16(filter->buffer + 4);
	ret->screens = filter->buffer[6];
	return 0;
}

/* What of a clipboard message is there; the whole of an empty one. */
static int cut_text_part(struct filter *filter, const uint8_t *data, size_t size, struct filter_message *ret)
{
	size_t n = filter->cut_left < size ? filter->cut_left : size;

	filter->cut_left -= (uint32_t)n;
	ret->type = FILTER_CUT_TEXT;
	ret->payload = data;
	ret->payload_size = n;
	ret->total = filter->cut_total;
	ret->flags = filter->cut_flags | (filter->cut_left ? 0 : FILTER_CUT_LAST);
	filter->cut_flags &= ~FILTER_CUT_FIRST;
	return (int)n;
}

static int parse_cut_text(struct filter *filter, struct filter_message *ret, struct error *err)
{
	(void)err;
	ret->size = 0;
	if (filter->cut_left == 0)
		cut_text_part(filter, NULL, 0, ret);
	return 0;
}

static int parse_sound(struct filter *filter, struct filter_message *ret, struct error *err)
{
	ret->type = FILTER_SOUND;
	ret->flags = get_u16(filter->buffer + 2);
	switch (ret->flags) {
	case SOUND_ENABLE:
	case SOUND_DISABLE:
		return 0;
	case SOUND_FORMAT:
		ret->sound = (struct sound_format){filter->buffer[4], filter->buffer[5], get_u32(filter->buffer + 6)};
		return sound_format_good(&ret->sound) ? 0 : refuse(err, -EPROTO, "a sound format that does not exist");
	default:
		return refuse(err, -EPROTO, "an unknown message of sound");
	}
}

static int parse_qemu(struct filter *filter, struct filter_message *ret, struct error *err)
{
	if (filter->buffer[1] == QEMU_AUDIO)
		return parse_sound(filter, ret, err);
	ret->type = FILTER_KEY;
	ret->flag = get_u16(filter->buffer + 2) != 0;
	ret->keysym = get_u32(filter->buffer + 4);
	ret->keycode = get_u32(filter->buffer + 8);
	return 0;
}

static const struct message_kind kinds[] = {
    {CLIENT_SET_PIXEL_FORMAT, 20, NULL, parse_format},
    {CLIENT_SET_ENCODINGS, 4, frame_encodings, parse_encodings},
    {CLIENT_UPDATE_REQUEST, 10, NULL, parse_request},
    {CLIENT_KEY, 8, NULL, parse_key},
    {CLIENT_POINTER, 6, frame_pointer, parse_pointer},
    {CLIENT_CUT_TEXT, 8, frame_cut_text, parse_cut_text},
    {CLIENT_FILE_TRANSFER, 12, frame_file, NULL},
    {CLIENT_SET_SCALE, 4, NULL, NULL},
    {CLIENT_SET_INPUT, 4, NULL, NULL},
    {CLIENT_SET_WINDOW, 6, NULL, NULL},
    {CLIENT_TEXT_CHAT, 8, frame_chat, NULL},
    {CLIENT_PALM_SCALE, 4, NULL, NULL},
    {CLIENT_CONTINUOUS, 10, NULL, parse_continuous},
    {CLIENT_FENCE, 9, frame_fence, parse_fence},
    {CLIENT_XVP, 4, NULL, NULL},
    {CLIENT_SET_DESKTOP_SIZE, 8, frame_size, parse_size},
    {CLIENT_QEMU, 4, frame_qemu, parse_qemu},
};

static const struct message_kind *kind_of(uint8_t type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].type == type)
			return &kinds[i];
	return NULL;
}

void filter_init(struct filter *filter)
{
	memset(filter, 0, sizeof(*filter));
}

/* Fills the buffer up to `want` bytes; true when they are there. */
static bool filter_fill(struct filter *filter, size_t want, const uint8_t *data, size_t size, size_t *used)
{
	size_t missing = want > filter->have ? want - filter->have : 0;
	size_t n = missing < size - *used ? missing : size - *used;

	if (n)
		memcpy(filter->buffer + filter->have, data + *used, n);
	filter->have += n;
	*used += n;
	return n == missing;
}

static void filter_skip(struct filter *filter, size_t size, size_t *used)
{
	size_t n = filter->skip < size - *used ? filter->skip : size - *used;

	filter->skip -= (uint32_t)n;
	*used += n;
}

static int filter_client_init(struct filter *filter, struct filter_message *ret)
{
	filter->initialised = true;
	filter->have = 0;
	ret->type = FILTER_CLIENT_INIT;
	ret->bytes = filter->buffer;
	ret->size = 1;
	return 1;
}

int filter_feed(struct filter *filter, const uint8_t *data, size_t size, size_t *used, struct filter_message *ret,
		struct error *err)
{
	const struct message_kind *kind;
	size_t length;
	int r;

	*used = 0;
	memset(ret, 0, sizeof(*ret));
	if (filter->cut_left && size) {
		*used = (size_t)cut_text_part(filter, data, size, ret);
		return 1;
	}
	filter_skip(filter, size, used);
	if (filter->skip || !filter_fill(filter, 1, data, size, used))
		return 0;
	if (!filter->initialised)
		return filter_client_init(filter, ret);
	kind = kind_of(filter->buffer[0]);
	if (!kind)
		return error_set(err, -EPROTO, "the viewer broke the RFB protocol: unknown message %u",
				 filter->buffer[0]);
	if (!filter_fill(filter, kind->header, data, size, used))
		return 0;
	length = kind->header;
	r = kind->frame ? kind->frame(filter, &length, err) : 0;
	if (r < 0)
		return r;
	if (!filter_fill(filter, length, data, size, used))
		return 0;
	filter->have = 0;
	ret->bytes = filter->buffer;
	ret->size = length;
	r = kind->parse ? kind->parse(filter, ret, err) : 0;
	return r < 0 ? r : 1;
}
