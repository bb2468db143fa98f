/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/filter.h"
#include "display/viewer/rfb_wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants those four first */
#include <cmocka.h>

static void start(struct filter *filter)
{
	struct filter_message message;
	size_t used;

	filter_init(filter);
	assert_int_equal(filter_feed(filter, (const uint8_t *)"\1", 1, &used, &message, NULL), 1);
	assert_int_equal(message.type, FILTER_CLIENT_INIT);
	assert_int_equal(message.size, 1);
}

/* Feeds whole messages byte by byte and as one, which must be the same; returns the last result. */
static int feed(struct filter *filter, const void *bytes, size_t size, struct filter_message *ret)
{
	struct filter twin = *filter;
	struct filter_message other;
	const uint8_t *data = bytes;
	size_t used, at = 0;
	int r = 0, r2 = 0;

	while (at < size && r2 == 0) {
		r2 = filter_feed(&twin, data + at, 1, &used, &other, NULL);
		at += used;
	}
	r = filter_feed(filter, data, size, &used, ret, NULL);
	assert_int_equal(r, r2);
	if (r == 1) {
		assert_int_equal(ret->type, other.type);
		assert_int_equal(ret->size, other.size);
		assert_int_equal(used, at);
	}
	return r;
}

static void test_key_and_pointer(void **state)
{
	struct filter filter;
	struct filter_message message;

	(void)state;
	start(&filter);
	assert_int_equal(feed(&filter, "\4\1\0\0\0\0\xff\x0d", 8, &message), 1);
	assert_int_equal(message.type, FILTER_KEY);
	assert_true(message.flag);
	assert_int_equal(message.keysym, 0xff0d);
	assert_int_equal(message.keycode, 0);
	assert_int_equal(feed(&filter, "\xff\0\0\0\0\0\0\x61\0\0\0\x1e", 12, &message), 1);
	assert_int_equal(message.type, FILTER_KEY);
	assert_false(message.flag);
	assert_int_equal(message.keycode, 0x1e);
	assert_int_equal(feed(&filter, "\5\x85\1\2\3\4", 6, &message), 1);
	assert_int_equal(message.type, FILTER_POINTER);
	assert_int_equal(message.buttons, 5);
	assert_int_equal(message.area.x, 0x102);
	assert_int_equal(message.area.y, 0x304);
}

static void test_pointer_with_more_buttons(void **state)
{
	static const uint8_t encodings[] = {2, 0, 0, 1, 0xff, 0xff, 0xfe, 0xc4}; /* -316 */
	struct filter filter;
	struct filter_message message;

	(void)state;
	start(&filter);
	assert_int_equal(feed(&filter, encodings, sizeof(encodings), &message), 1);
	assert_int_equal(message.features, FEATURE_MOUSE_BUTTONS);
	assert_int_equal(feed(&filter, "\5\x81\0\1\0\2\1", 7, &message), 1);
	assert_int_equal(message.buttons, 1);
	assert_int_equal(feed(&filter, "\5\1\0\1\0\2", 6, &message), 1);
}

static void test_encodings_for_libvncserver(void **state)
{
	static const int32_t sent[] = {
	    7, -223, -239, 1, -314, 16, -32, -256, -247, -224, -308, -260, (int32_t)0xc0a1e5ce};
	static const int32_t kept[] = {7, 16, -32, -256, -247, -224};
	uint8_t bytes[4 + sizeof(sent)] = {2};
	struct filter filter;
	struct filter_message message;

	(void)state;
	put_u16(bytes + 2, sizeof(sent) / 4);
	for (size_t i = 0; i < sizeof(sent) / 4; i++)
		put_u32(bytes + 4 + 4 * i, (uint32_t)sent[i]);
	start(&filter);
	assert_int_equal(feed(&filter, bytes, sizeof(bytes), &message), 1);
	assert_int_equal(message.type, FILTER_ENCODINGS);
	assert_int_equal(message.features, FEATURE_DESKTOP_SIZE | FEATURE_CURSOR_RICH | FEATURE_CURSOR_ALPHA |
					       FEATURE_EXT_DESKTOP_SIZE | FEATURE_CLIPBOARD);
	assert_int_equal(message.size, 4 + sizeof(kept));
	assert_int_equal(get_u16(message.bytes + 2), sizeof(kept) / 4);
	for (size_t i = 0; i < sizeof(kept) / 4; i++)
		assert_int_equal((int32_t)get_u32(message.bytes + 4 + 4 * i), kept[i]);
}

static void test_dropped_messages(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} dropped[] = {
	    {"\7\1\0\0\0\0\0\0\0\0\0\2ab", 14},
	    {"\10\2\0\0", 4},
	    {"\11\1\0\0", 4},
	    {"\12\1\0\0\0\0", 6},
	    {"\13\0\0\0\0\0\0\2hi", 10},
	    {"\13\0\0\0\xff\xff\xff\xff", 8},
	    {"\17\2\0\0", 4},
	    {"\xfa\0\1\2", 4},
	    {"\3\1\0\0\0\0\0\0\0\7", 10},
	};
	struct filter filter;
	struct filter_message message;

	(void)state;
	start(&filter);
	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++) {
		size_t used = 0, part;

		for (size_t at = 0; at < dropped[i].size; at += part) {
			assert_true(filter_feed(&filter, (const uint8_t *)dropped[i].bytes + at, dropped[i].size - at,
						&part, &message, NULL) >= 0);
			assert_int_equal(message.type, FILTER_NONE);
			used += part;
		}
		assert_int_equal(used, dropped[i].size);
		/* Still in step: */
		assert_int_equal(feed(&filter, "\4\1\0\0\0\0\0\x61", 8, &message), 1);
		assert_int_equal(message.type, FILTER_KEY);
	}
}

static void test_clipboard_in_parts(void **state)
{
	static const struct {
		const char *bytes;
		size_t size, total;
		uint32_t flags;
	} messages[] = {
	    {"\6\0\0\0\0\0\0\3abc", 11, 3, 0},
	    {"\6\0\0\0\xff\xff\xff\xfc\1\2\3\4", 12, 4, FILTER_CUT_EXTENDED},
	    {"\6\0\0\0\0\0\0\0", 8, 0, 0},
	};
	struct filter filter;
	struct filter_message message;

	(void)state;
	start(&filter);
	for (size_t i = 0; i < 9; i++) {
		const uint8_t *bytes = (const uint8_t *)messages[i / 3].bytes;
		size_t size = messages[i / 3].size, step = i % 3 == 2 ? size : i % 3 + 1, got = 0, used;
		uint32_t flags = 0;

		for (size_t at = 0; at < size; at += used) {
			assert_true(filter_feed(&filter, bytes + at, size - at < step ? size - at : step, &used,
						&message, NULL) >= 0);
			if (message.type != FILTER_CUT_TEXT)
				continue;
			assert_int_equal(message.total, messages[i / 3].total);
			assert_int_equal((message.flags & FILTER_CUT_FIRST) != 0, got == 0);
			if (message.payload_size)
				assert_memory_equal(message.payload, bytes + 8 + got, message.payload_size);
			got += message.payload_size;
			flags = message.flags;
		}
		assert_int_equal(got, messages[i / 3].total);
		assert_true(flags & FILTER_CUT_LAST);
		assert_int_equal(flags & FILTER_CUT_EXTENDED, messages[i / 3].flags);
		assert_int_equal(feed(&filter, "\4\1\0\0\0\0\0\x61", 8, &message), 1);
		assert_int_equal(message.type, FILTER_KEY);
	}
}

static void test_refused_messages(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		int error;
	} refused[] = {
	    {"\6\0\0\0\x7f\xff\xff\xff", 8, -EMSGSIZE},
	    {"\6\0\0\0\x80\0\0\0", 8, -EMSGSIZE},
	    {"\6\0\0\0\x8\0\0\1", 8, -EMSGSIZE},
	    {"\7\1\0\0\0\0\0\0\xff\xff\xff\xff", 12, -EMSGSIZE},
	    {"\13\0\0\0\0\1\0\0", 8, -EMSGSIZE},
	    {"\2\0\xff\xff", 4, -EMSGSIZE},
	    {"\xfb\0\1\1\1\1\xff\0", 8, -EMSGSIZE},
	    {"\xf8\0\0\0\x80\0\0\0\x41", 9, -EMSGSIZE},
	    {"\xff\x09\0\0", 4, -EPROTO},
	    {"\xff\1\0\3", 4, -EPROTO},
	    {"\xff\1\xff\xff", 4, -EPROTO},
	    {"\xff\1\0\2\6\2\0\0\xac\x44", 10, -EPROTO},
	    {"\xff\1\0\2\3\0\0\0\xac\x44", 10, -EPROTO},
	    {"\xff\1\0\2\3\2\0\0\0\0", 10, -EPROTO},
	    {"\xff\1\0\2\3\2\0\0\xbb\x81", 10, -EPROTO},
	    {"\1", 1, -EPROTO},
	    {"\xc8", 1, -EPROTO},
	    {"\0\0\0\0\x18\x18\0\1\0\xff\0\xff\0\xff\x10\x08\0\0\0\0", 20, -EPROTO},
	    {"\0\0\0\0\x20\x18\0\1\0\xff\0\xff\0\xff\xff\x08\0\0\0\0", 20, -EPROTO},
	    {"\0\0\0\0\x20\x18\0\1\0\xfe\0\xff\0\xff\x10\x08\0\0\0\0", 20, -EPROTO},
	    {"\0\0\0\0\x20\x18\0\1\0\0\0\xff\0\xff\x10\x08\0\0\0\0", 20, -EPROTO},
	    {"\0\0\0\0\x10\x10\0\0\0\xff\0\xff\0\xff\x10\x08\0\0\0\0", 20, -EPROTO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct filter filter;
		struct filter_message message;

		start(&filter);
		assert_int_equal(feed(&filter, refused[i].bytes, refused[i].size, &message), refused[i].error);
	}
}

static void test_extensions(void **state)
{
	struct filter filter;
	struct filter_message message;

	(void)state;
	start(&filter);
	assert_int_equal(feed(&filter, "\xf8\0\0\0\x80\0\0\3\2ab", 11, &message), 1);
	assert_int_equal(message.type, FILTER_FENCE);
	assert_int_equal(message.flags, FENCE_REQUEST | 3);
	assert_int_equal(message.payload_size, 2);
	assert_memory_equal(message.payload, "ab", 2);
	assert_int_equal(feed(&filter, "\x96\1\0\1\0\2\0\3\0\4", 10, &message), 1);
	assert_int_equal(message.type, FILTER_CONTINUOUS);
	assert_true(message.flag);
	assert_int_equal(message.area.h, 4);
	assert_int_equal(feed(&filter, "\xfb\0\xff\xff\xff\xff\0\0", 8, &message), 1);
	assert_int_equal(message.type, FILTER_SIZE);
	assert_int_equal(message.screens, 0);
	assert_int_equal(message.area.w, 65535);
	assert_int_equal(feed(&filter, "\3\1\0\1\0\2\0\3\0\4", 10, &message), 1);
	assert_int_equal(message.type, FILTER_REQUEST);
	assert_true(message.flag);
	assert_int_equal(feed(&filter, "\0\0\0\0\x20\x18\0\1\0\xff\0\xff\0\xff\x10\x08\0\0\0\0", 20, &message), 1);
	assert_int_equal(message.type, FILTER_RFB);
	assert_int_equal(message.size, 20);
}

static void test_sound(void **state)
{
	static const uint8_t encodings[] = {2, 0, 0, 1, 0xff, 0xff, 0xfe, 0xfd}; /* -259 */
	struct filter filter;
	struct filter_message message;

	(void)state;
	start(&filter);
	assert_int_equal(feed(&filter, encodings, sizeof(encodings), &message), 1);
	assert_int_equal(message.features, FEATURE_SOUND);
	assert_int_equal(message.size, 4);
	assert_int_equal(feed(&filter, "\xff\1\0\2\4\1\0\0\xac\x44", 10, &message), 1);
	assert_int_equal(message.type, FILTER_SOUND);
	assert_int_equal(message.flags, SOUND_FORMAT);
	assert_int_equal(message.sound.sample, SOUND_U32);
	assert_int_equal(message.sound.channels, 1);
	assert_int_equal(message.sound.rate, 44100);
	assert_int_equal(feed(&filter, "\xff\1\0\0", 4, &message), 1);
	assert_int_equal(message.type, FILTER_SOUND);
	assert_int_equal(message.flags, SOUND_ENABLE);
	assert_int_equal(feed(&filter, "\xff\1\0\1", 4, &message), 1);
	assert_int_equal(message.flags, SOUND_DISABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_key_and_pointer),
	    cmocka_unit_test(test_pointer_with_more_buttons),
	    cmocka_unit_test(test_dropped_messages),
	    cmocka_unit_test(test_clipboard_in_parts),
	    cmocka_unit_test(test_encodings_for_libvncserver),
	    cmocka_unit_test(test_refused_messages),
	    cmocka_unit_test(test_extensions),
	    cmocka_unit_test(test_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
