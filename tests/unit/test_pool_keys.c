/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A pool's settings: defaults, what each takes, and that a refused one changes nothing. */
#include "broker/pool_keys.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct pool fresh(void)
{
	struct pool pool;

	pool_keys_default(&pool, "office");
	return pool;
}

static void assert_sets(const char *key, const char *value, const char *text)
{
	struct pool pool = fresh();
	struct error err = {0};
	const struct pool_key *row = pool_keys;
	char typed[64];

	if (pool_keys_set(&pool, key, value, &err) < 0)
		fail_msg("%s=%s: %s", key, value, err.text);
	while (strcmp(row->name, key) != 0)
		row++;
	pool_keys_text(&pool, row, typed, sizeof(typed));
	assert_string_equal(typed, text);
}

static void assert_refused(const char *key, const char *value, const char *part)
{
	struct pool pool = fresh(), before = pool;
	struct error err = {0};

	assert_int_equal(pool_keys_set(&pool, key, value, &err), -EINVAL);
	assert_memory_equal(&pool, &before, sizeof(pool));
	if (!strstr(err.text, part))
		fail_msg("%s=%s: \"%s\" lacks \"%s\"", key, value, err.text, part);
}

static void defaults_are_those_of_the_table(void **state)
{
	struct pool pool = fresh();

	(void)state;
	assert_string_equal(pool.name, "office");
	assert_string_equal(pool.image, "");
	assert_int_equal(pool.kind, POOL_FLOATING);
	assert_int_equal(pool.memory_mib, 2048);
	assert_string_equal(pool.keyboard, "us");
	assert_int_equal(pool.clipboard, POOL_CLIPBOARD_BOTH);
	assert_false(pool.clipboard_primary);
	assert_true(pool.sound);
	for (const struct pool_key *key = pool_keys; key->name; key++) {
		char text[64];

		pool_keys_text(&pool, key, text, sizeof(text));
		assert_string_equal(text, key->value ? key->value : "");
	}
}

static void good_values_are_set(void **state)
{
	(void)state;
	assert_sets("image", "debian-12", "debian-12");
	assert_sets("kind", "dedicated", "dedicated");
	assert_sets("memory", "512M", "512M");
	assert_sets("memory", "1024M", "1G");
	assert_sets("memory", "64M", "64M");
	assert_sets("memory", "4096G", "4096G");
	assert_sets("vcpus", "255", "255");
	assert_sets("max", "100000", "100000");
	assert_sets("min-spare", "0", "0");
	assert_sets("guest-groups", "audio,sudo_2,x-y", "audio,sudo_2,x-y");
	assert_sets("guest-groups", "", "");
	assert_sets("clipboard", "none", "none");
	assert_sets("clipboard", "in", "in");
	assert_sets("clipboard", "out", "out");
	assert_sets("clipboard", "both", "both");
	assert_sets("clipboard-primary", "on", "on");
	assert_sets("clipboard-primary", "off", "off");
	assert_sets("sound", "off", "off");
	assert_sets("sound", "on", "on");
	assert_sets("keyboard", "de", "de");
	assert_sets("keyboard", "de(nodeadkeys)", "de(nodeadkeys)");
}

static void bad_values_are_refused(void **state)
{
	(void)state;
	assert_refused("guest-groups", ",", "audio,sudo");
	assert_refused("guest-groups", "audio,", "audio,sudo");
	assert_refused("guest-groups", "-audio", "audio,sudo");
	assert_refused("guest-groups", "Audio", "audio,sudo");
	assert_refused("guest-groups", "a b", "audio,sudo");
	assert_refused("guest-groups", "a234567890123456789012345678901234", "audio,sudo");
	assert_refused("clipboard", "", "none, in, out or both");
	assert_refused("clipboard", "Both", "none, in, out or both");
	assert_refused("clipboard", "in,out", "none, in, out or both");
	assert_refused("clipboard-primary", "yes", "on or off");
	assert_refused("clipboard-primary", "", "on or off");
	assert_refused("sound", "yes", "on or off");
	assert_refused("image", "", "image list");
	assert_refused("image", "../x", "image list");
	assert_refused("kind", "Floating", "floating or dedicated");
	assert_refused("memory", "", "512M or 2G");
	assert_refused("memory", "2", "512M or 2G");
	assert_refused("memory", "2g", "512M or 2G");
	assert_refused("memory", "2GB", "512M or 2G");
	assert_refused("memory", "-2G", "512M or 2G");
	assert_refused("memory", "63M", "64M to 4096G");
	assert_refused("memory", "4097G", "64M to 4096G");
	assert_refused("memory", "99999999999999999999G", "512M or 2G");
	assert_refused("vcpus", "0", "1 to 255");
	assert_refused("vcpus", "256", "1 to 255");
	assert_refused("vcpus", "1.5", "1 to 255");
	assert_refused("vcpus", " 1", "1 to 255");
	assert_refused("max", "0", "1 to 100000");
	assert_refused("min-spare", "-1", "0 to 1000");
	assert_refused("keyboard", "", "XKB");
	assert_refused("keyboard", "de(", "XKB");
	assert_refused("keyboard", "de()", "XKB");
	assert_refused("keyboard", "de(a)b", "XKB");
	assert_refused("keyboard", "../../etc", "XKB");
	assert_refused("keyboard", "de%", "XKB");
}

static void unknown_key_lists_the_keys(void **state)
{
	(void)state;
	assert_refused("colour", "red", "image, kind, memory, vcpus, max, min-spare, keyboard");
}

static void keys_are_checked_together(void **state)
{
	struct pool pool = fresh();
	struct error err = {0};

	(void)state;
	assert_int_equal(pool_keys_check(&pool, &err), -EINVAL);
	assert_non_null(strstr(err.text, "image="));
	assert_int_equal(pool_keys_set(&pool, "image", "tiny", &err), 0);
	assert_int_equal(pool_keys_check(&pool, &err), 0);
	assert_int_equal(pool_keys_set(&pool, "min-spare", "11", &err), 0);
	assert_int_equal(pool_keys_check(&pool, &err), -EINVAL);
	assert_non_null(strstr(err.text, "min-spare=11 is above max=10"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_are_those_of_the_table), cmocka_unit_test(good_values_are_set),
	    cmocka_unit_test(bad_values_are_refused),          cmocka_unit_test(unknown_key_lists_the_keys),
	    cmocka_unit_test(keys_are_checked_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
