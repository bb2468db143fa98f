/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/keymap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants those first */
#include <cmocka.h>
#include <xkbcommon/xkbcommon-keysyms.h>

static char strokes[512];

static void note(uint32_t qnum, bool down, void *userdata)
{
	size_t used = strlen(strokes);

	(void)userdata;
	snprintf(strokes + used, sizeof(strokes) - used, "%s%c%x", used ? " " : "", down ? '+' : '-', qnum);
}

static struct keymap *make(const char *layout)
{
	struct keymap *keymap = NULL;
	struct error err = {0};

	assert_int_equal(keymap_new(layout, &keymap, &err), 0);
	return keymap;
}

static const char *press(struct keymap *keymap, uint32_t keysym, bool down)
{
	strokes[0] = '\0';
	keymap_key(keymap, keysym, down, note, NULL);
	return strokes;
}

static const char *type(struct keymap *keymap, uint32_t keysym)
{
	strokes[0] = '\0';
	keymap_key(keymap, keysym, true, note, NULL);
	keymap_key(keymap, keysym, false, note, NULL);
	return strokes;
}

static void test_us(void **state)
{
	struct keymap *keymap = make("us");

	(void)state;
	assert_string_equal(type(keymap, 'a'), "+1e -1e");
	assert_string_equal(type(keymap, 'A'), "+2a +1e -2a -1e");
	assert_string_equal(type(keymap, '@'), "+2a +3 -2a -3");
	assert_string_equal(type(keymap, XKB_KEY_Return), "+1c -1c");
	assert_string_equal(type(keymap, XKB_KEY_Up), "+c8 -c8");
	assert_string_equal(type(keymap, XKB_KEY_F12), "+58 -58");
	assert_string_equal(type(keymap, XKB_KEY_ISO_Level3_Shift), "+b8 -b8");
	assert_string_equal(type(keymap, 0x01000061), "+1e -1e");
	assert_string_equal(type(keymap, XKB_KEY_EuroSign), "");
	keymap_free(keymap);
}

static void test_us_with_shift_held(void **state)
{
	struct keymap *keymap = make("us");

	(void)state;
	assert_string_equal(press(keymap, XKB_KEY_Shift_L, true), "+2a");
	assert_string_equal(press(keymap, 'A', true), "+1e");
	assert_string_equal(press(keymap, XKB_KEY_Shift_L, false), "-2a");
	/* The viewer names the same key by its small letter now. */
	assert_string_equal(press(keymap, 'a', false), "-1e");
	/* A viewer with another layout holds Shift for what needs none here. */
	press(keymap, XKB_KEY_Shift_R, true);
	assert_string_equal(type(keymap, '/'), "-36 +35 +36 -35");
	assert_string_equal(press(keymap, XKB_KEY_Control_L, true), "+1d");
	assert_string_equal(press(keymap, XKB_KEY_Alt_L, true), "+38");
	assert_string_equal(type(keymap, XKB_KEY_F1), "+3b -3b");
	keymap_free(keymap);
}

static void test_german(void **state)
{
	struct keymap *keymap = make("de");

	(void)state;
	assert_string_equal(type(keymap, 'y'), "+2c -2c");
	assert_string_equal(type(keymap, '@'), "+b8 +10 -b8 -10");
	assert_string_equal(type(keymap, XKB_KEY_EuroSign), "+b8 +12 -b8 -12");
	assert_string_equal(type(keymap, 0x010020ac), "+b8 +12 -b8 -12");
	assert_string_equal(type(keymap, XKB_KEY_ssharp), "+c -c");
	assert_string_equal(type(keymap, XKB_KEY_udiaeresis), "+1a -1a");
	assert_string_equal(type(keymap, XKB_KEY_Udiaeresis), "+2a +1a -2a -1a");
	assert_string_equal(type(keymap, '<'), "+56 -56");
	/* Held AltGr is not pressed again. */
	assert_string_equal(press(keymap, XKB_KEY_ISO_Level3_Shift, true), "+b8");
	assert_string_equal(type(keymap, '@'), "+10 -10");
	assert_string_equal(press(keymap, XKB_KEY_ISO_Level3_Shift, false), "-b8");
	/* A US viewer's Shift and 2. */
	press(keymap, XKB_KEY_Shift_L, true);
	assert_string_equal(type(keymap, '@'), "-2a +b8 +10 -b8 +2a -10");
	press(keymap, XKB_KEY_Shift_L, false);
	/* By dead keys. */
	assert_string_equal(type(keymap, '^'), "+29 -29 +39 -39");
	assert_string_equal(type(keymap, XKB_KEY_eacute), "+d -d +12 -12");
	keymap_free(keymap);
	keymap = make("de(nodeadkeys)");
	assert_string_equal(type(keymap, '^'), "+29 -29");
	keymap_free(keymap);
}

static void test_french(void **state)
{
	struct keymap *keymap = make("fr");

	(void)state;
	assert_string_equal(type(keymap, 'a'), "+10 -10");
	assert_string_equal(type(keymap, '1'), "+2a +2 -2a -2");
	assert_string_equal(type(keymap, '&'), "+2 -2");
	assert_string_equal(type(keymap, '@'), "+b8 +b -b8 -b");
	assert_string_equal(type(keymap, XKB_KEY_eacute), "+3 -3");
	assert_string_equal(type(keymap, XKB_KEY_EuroSign), "+b8 +12 -b8 -12");
	keymap_free(keymap);
}

static void test_locks(void **state)
{
	struct keymap *keymap = make("us");

	(void)state;
	assert_string_equal(type(keymap, XKB_KEY_Caps_Lock), "+3a -3a");
	assert_string_equal(type(keymap, 'A'), "+1e -1e");
	assert_string_equal(type(keymap, 'a'), "+2a +1e -2a -1e");
	assert_string_equal(type(keymap, XKB_KEY_Caps_Lock), "+3a -3a");
	assert_string_equal(type(keymap, XKB_KEY_KP_7), "+45 -45 +47 -47");
	assert_string_equal(type(keymap, XKB_KEY_KP_7), "+47 -47");
	assert_string_equal(type(keymap, XKB_KEY_KP_Home), "+45 -45 +47 -47");
	keymap_free(keymap);
}

static void test_mixed_with_numbers(void **state)
{
	struct keymap *keymap = make("us");

	(void)state;
	keymap_follow(keymap, 0x2a, true);
	assert_string_equal(type(keymap, 'A'), "+1e -1e");
	keymap_follow(keymap, 0x2a, false);
	assert_string_equal(type(keymap, 'a'), "+1e -1e");
	keymap_follow(keymap, 0x2a, true);
	keymap_reset(keymap);
	assert_string_equal(type(keymap, 'a'), "+1e -1e");
	keymap_free(keymap);
}

static void test_many_keys(void **state)
{
	struct keymap *keymap = make("us");

	(void)state;
	for (uint32_t keysym = 0; keysym < 0x20000; keysym += 211)
		press(keymap, keysym, keysym % 3 != 0);
	keymap_free(keymap);
}

static void test_bad_layouts(void **state)
{
	static const char *const bad[] = {"klingon", "", "../de", "de(no-such-variant)"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct keymap *keymap = NULL;
		struct error err = {0};

		assert_int_equal(keymap_new(bad[i], &keymap, &err), -EINVAL);
		assert_true(strlen(err.text) > 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_us),        cmocka_unit_test(test_us_with_shift_held),
	    cmocka_unit_test(test_german),    cmocka_unit_test(test_french),
	    cmocka_unit_test(test_locks),     cmocka_unit_test(test_mixed_with_numbers),
	    cmocka_unit_test(test_many_keys), cmocka_unit_test(test_bad_layouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
