/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a viewer sends, cut into pieces by the input's first byte: framing must not depend on where it is cut. */
#include "display/viewer/filter.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Touches everything a message points to, and checks what its users rely on. */
static unsigned digest(const struct filter_message *message)
{
	unsigned sum = (unsigned)message->type * 31 + message->keysym + message->keycode + message->flags;

	if (message->size > FILTER_MESSAGE_MAX ||
	    (message->type != FILTER_CUT_TEXT && message->payload_size > FILTER_FENCE_MAX) ||
	    message->screens > FILTER_SCREENS_MAX)
		abort();
	if (message->type == FILTER_REQUEST && (message->area.w == 0 || message->area.h == 0))
		abort();
	if (message->type == FILTER_SOUND && message->flags == SOUND_FORMAT && !sound_format_good(&message->sound))
		abort();
	for (size_t i = 0; i < message->size; i++)
		sum = sum * 33 + message->bytes[i];
	for (size_t i = 0; i < message->payload_size; i++)
		sum = sum * 33 + message->payload[i];
	return sum;
}

/* Of a text's parts, however many there are. */
static unsigned digest_text(const struct filter_message *message, unsigned sum)
{
	if (message->total > FILTER_CUT_TEXT_MAX || message->payload_size > message->total)
		abort();
	if (message->flags & FILTER_CUT_FIRST)
		sum = sum * 17 + (unsigned)message->total + (message->flags & FILTER_CUT_EXTENDED);
	for (size_t i = 0; i < message->payload_size; i++)
		sum = sum * 33 + message->payload[i];
	return message->flags & FILTER_CUT_LAST ? sum * 17 + 1 : sum;
}

static unsigned run(const uint8_t *data, size_t size, size_t piece)
{
	struct filter filter;
	unsigned sum = 0;

	filter_init(&filter);
	for (size_t at = 0; at < size;) {
		size_t part = piece < size - at ? piece : size - at, used;
		struct filter_message message;
		int r = filter_feed(&filter, data + at, part, &used, &message, NULL);

		if (used > part || (r == 0 && used != part))
			abort();
		if (r < 0)
			return sum + (unsigned)-r;
		if (r > 0 && message.type == FILTER_CUT_TEXT)
			sum = digest_text(&message, sum);
		else if (r > 0 && message.type != FILTER_NONE)
			sum = sum * 17 + digest(&message);
		at += used;
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (run(data + 1, size - 1, size) != run(data + 1, size - 1, (size_t)data[0] % 19 + 1))
		abort();
	return 0;
}
