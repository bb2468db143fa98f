/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/sound_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants those four first */
#include <cmocka.h>

static void test_formats(void **state)
{
	static const struct {
		struct sound_format format;
		bool good;
	} formats[] = {
	    {{SOUND_U8, 1, 1}, true},   {{SOUND_S32, 2, 48000}, true},  {{6, 2, 44100}, false},
	    {{255, 2, 44100}, false},   {{SOUND_S16, 0, 8000}, false},  {{SOUND_S16, 3, 8000}, false},
	    {{SOUND_S16, 2, 0}, false}, {{SOUND_S16, 2, 48001}, false}, {{SOUND_S16, 2, UINT32_MAX}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		assert_int_equal(sound_format_good(&formats[i].format), formats[i].good);
	assert_true(sound_format_good(&SOUND_FORMAT_DEFAULT));
	assert_true(sound_format_same(&formats[0].format, &formats[0].format));
	assert_false(sound_format_same(&formats[0].format, &formats[1].format));
}

static void test_bytes_are_whole_frames(void **state)
{
	(void)state;
	assert_int_equal(sound_frame(&(struct sound_format){SOUND_S8, 1, 8000}), 1);
	assert_int_equal(sound_frame(&(struct sound_format){SOUND_U16, 2, 8000}), 4);
	assert_int_equal(sound_bytes(&SOUND_FORMAT_DEFAULT, 20), 882 * 4);
	assert_int_equal(sound_bytes(&(struct sound_format){SOUND_U32, 2, 48000}, 200), 9600 * 8);
	assert_int_equal(sound_bytes(&(struct sound_format){SOUND_S16, 2, 11025}, 20), 220 * 4);
	assert_int_equal(sound_bytes(&(struct sound_format){SOUND_S16, 2, 1}, 20), 4);
}

static void test_silence(void **state)
{
	(void)state;
	assert_true(sound_silent(SOUND_U8, (const uint8_t *)"\x80\x80\x80", 3));
	assert_false(sound_silent(SOUND_U8, (const uint8_t *)"\x80\0\x80", 3));
	assert_true(sound_silent(SOUND_S16, (const uint8_t *)"\0\0\0\0", 4));
	assert_false(sound_silent(SOUND_S16, (const uint8_t *)"\0\0\1\0", 4));
	assert_false(sound_silent(SOUND_S32, (const uint8_t *)"\0\0\0\x80", 4));
	assert_true(sound_silent(SOUND_S32, NULL, 0));
}

/* The same quarter of full scale, over and under the middle, in each format. */
static void test_signs(void **state)
{
	static const struct {
		uint8_t sample, recorded;
		size_t size;
		const char *before, *after;
	} cases[] = {
	    {SOUND_U8, SOUND_U8, 2, "\xa0\x60", "\xa0\x60"},
	    {SOUND_S8, SOUND_U8, 2, "\xa0\x60", "\x20\xe0"},
	    {SOUND_S16, SOUND_S16, 4, "\x01\x20\xff\xdf", "\x01\x20\xff\xdf"},
	    {SOUND_U16, SOUND_S16, 4, "\x01\x20\xff\xdf", "\x01\xa0\xff\x5f"},
	    {SOUND_S32, SOUND_S32, 8, "\1\2\3\x20\xff\xff\xff\xdf", "\1\2\3\x20\xff\xff\xff\xdf"},
	    {SOUND_U32, SOUND_S32, 8, "\1\2\3\x20\xff\xff\xff\xdf", "\1\2\3\xa0\xff\xff\xff\x5f"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t pcm[8];

		assert_int_equal(sound_recorded(cases[i].sample), cases[i].recorded);
		memcpy(pcm, cases[i].before, cases[i].size);
		sound_convert(cases[i].sample, pcm, cases[i].size);
		assert_memory_equal(pcm, cases[i].after, cases[i].size);
	}
}

static void test_headers(void **state)
{
	uint8_t header[SOUND_HEADER_MAX];

	(void)state;
	assert_int_equal(sound_header(header, SOUND_BEGIN, 0), 4);
	assert_memory_equal(header, "\xff\1\0\1", 4);
	assert_int_equal(sound_header(header, SOUND_END, 0), 4);
	assert_memory_equal(header, "\xff\1\0\0", 4);
	assert_int_equal(sound_header(header, SOUND_DATA, 0x10203), 8);
	assert_memory_equal(header, "\xff\1\0\2\0\1\2\3", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_formats), cmocka_unit_test(test_bytes_are_whole_frames),
	    cmocka_unit_test(test_silence), cmocka_unit_test(test_signs),
	    cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
