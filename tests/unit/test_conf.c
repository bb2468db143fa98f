/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/cleanup.h"
#include "common/conf.h"
#include "common/fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct conf *parse_good(const char *text)
{
	struct conf *conf = NULL;
	struct error err = {0};
	int r = conf_parse("test.conf", text, strlen(text), &conf, &err);

	if (r < 0)
		fail_msg("%s", err.text);
	return conf;
}

/* Expects a refusal whose text holds `wanted`. */
static void parse_bad(const char *text, const char *wanted)
{
	struct conf *conf = NULL;
	struct error err = {0};

	assert_true(conf_parse("test.conf", text, strlen(text), &conf, &err) < 0);
	assert_null(conf);
	if (!strstr(err.text, wanted))
		fail_msg("\"%s\" does not say \"%s\"", err.text, wanted);
}

static void test_empty_text_gives_every_default(void **state)
{
	_cleanup_(conf_freep) struct conf *conf = parse_good("");

	(void)state;
	assert_string_equal(conf_string(conf, CONF_RUNTIME_DIR), "/run/hotdesk");
	assert_string_equal(conf_string(conf, CONF_GATE_CERTIFICATE), "");
	assert_int_equal(conf_number(conf, CONF_GATE_TYPING_SECONDS), 120);
	assert_int_equal(conf_number(conf, CONF_RUN_VM_UID_FIRST), 300000);
	assert_int_equal(conf_number(conf, CONF_CLIPBOARD_MAX), 8 << 20);
	assert_false(conf_bool(conf, CONF_AUTH_ALLOW_ROOT));
}

static void assert_clipboard_max(const char *value, int64_t bytes)
{
	_cleanup_(conf_freep) struct conf *conf = NULL;
	char text[64];

	snprintf(text, sizeof(text), "[broker]\nclipboard-max = %s\n", value);
	conf = parse_good(text);
	assert_int_equal(conf_number(conf, CONF_CLIPBOARD_MAX), bytes);
	assert_string_equal(conf_string(conf, CONF_CLIPBOARD_MAX), value);
}

static void test_sizes_have_units(void **state)
{
	(void)state;
	assert_clipboard_max("65536", 65536);
	assert_clipboard_max("64K", 65536);
	assert_clipboard_max("64M", 64 << 20);
	parse_bad("[broker]\nclipboard-max = 63K\n", "out of range: 65536 to 67108864");
	parse_bad("[broker]\nclipboard-max = 1G\n", "out of range");
	parse_bad("[broker]\nclipboard-max = 8m\n", "not a size such as 65536, 64K or 8M");
	parse_bad("[broker]\nclipboard-max = 8MB\n", "not a size");
	parse_bad("[broker]\nclipboard-max = -1M\n", "test.conf:2");
	parse_bad("[broker]\nclipboard-max = 9223372036854775807G\n", "not a size");
	parse_bad("[auth]\ntimeout = 1K\n", "not a duration");
	parse_bad("[gate]\nmax-connections = 1s\n", "not a number");
}

static void test_values_replace_defaults(void **state)
{
	_cleanup_(conf_freep) struct conf *conf = parse_good(
	    "# comment\n[paths]\nruntime-dir = /tmp/run\n\n[gate]\nlisten=127.0.0.1:0 ; any port\n"
	    "[auth]\nallow-root = yes\ntimeout = 2m\n[host]\naccel = tcg\nready-timeout = 1h\nstop-timeout = 45s\n");

	(void)state;
	assert_string_equal(conf_string(conf, CONF_RUNTIME_DIR), "/tmp/run");
	assert_string_equal(conf_string(conf, CONF_GATE_LISTEN), "127.0.0.1:0");
	assert_true(conf_bool(conf, CONF_AUTH_ALLOW_ROOT));
	assert_int_equal(conf_number(conf, CONF_AUTH_TIMEOUT), 120);
	assert_int_equal(conf_number(conf, CONF_READY_TIMEOUT), 3600);
	assert_int_equal(conf_number(conf, CONF_STOP_TIMEOUT), 45);
	assert_string_equal(conf_string(conf, CONF_ACCEL), "tcg");
}

static void test_errors_name_file_and_line(void **state)
{
	(void)state;
	parse_bad("[gate]\nlisten = a\nport = 5\n", "test.conf:3: unknown key port in [gate]");
	parse_bad("\n[gates]\nlisten = a\n", "test.conf:3: unknown section [gates]");
	parse_bad("[gate]\nlisten\n", "test.conf:2: ");
	parse_bad("listen = 1\n", "test.conf:1: ");
}

static void test_bad_values_are_refused(void **state)
{
	(void)state;
	parse_bad("[gate]\nmax-connections = many\n", "not a number");
	parse_bad("[gate]\nmax-connections =\n", "not a number");
	parse_bad("[gate]\nmax-connections = 10x\n", "not a number");
	parse_bad("[gate]\nmax-connections = 0\n", "out of range: 1 to");
	parse_bad("[gate]\nmax-connections = 99999999999999999999\n", "test.conf:2");
	parse_bad("[gate]\ntyping-timeout = 2d\n", "not a duration");
	parse_bad("[gate]\ntyping-timeout = 9223372036854775807h\n", "test.conf:2");
	parse_bad("[gate]\ntyping-timeout = -1m\n", "test.conf:2");
	parse_bad("[auth]\nallow-root = maybe\n", "neither yes nor no");
	parse_bad("[host]\naccel = au\n", "not one of auto|kvm|tcg");
	parse_bad("[host]\naccel =\n", "not one of");
	parse_bad("[host]\naccel = kvm|tcg\n", "not one of");
	parse_bad("[paths]\nruntime-dir = run\n", "not an absolute path");
	parse_bad("[paths]\nruntime-dir =\n", "not an absolute path");
	parse_bad("[gate]\ncertificate = /a.pem\n", "certificate and key go together");
}

static void test_nul_and_long_lines_are_refused(void **state)
{
	char text[10000];
	struct conf *conf = NULL;
	struct error err = {0};

	(void)state;
	assert_true(conf_parse("t", "[gate]\n\0x", 9, &conf, &err) < 0);
	memset(text, 'a', 9999);
	text[9999] = '\0';
	memcpy(text, "[gate]\nnames = ", 15);
	/* Refused or whole, never cut in silence. */
	if (conf_parse("t", text, strlen(text), &conf, &err) == 0)
		assert_int_equal(strlen(conf_string(conf, CONF_GATE_NAMES)), 9999 - 15);
	conf_free(conf);
}

static void test_dump_reads_back_the_same(void **state)
{
	_cleanup_(conf_freep) struct conf *first = parse_good("[auth]\ntimeout = 2m\n[run-as]\nhost = hotdesk-host\n");
	_cleanup_free_ char *text = conf_dump(first), *again = NULL;
	_cleanup_(conf_freep) struct conf *second = NULL;

	(void)state;
	assert_non_null(text);
	second = parse_good(text);
	again = conf_dump(second);
	assert_string_equal(text, again);
	assert_int_equal(conf_number(second, CONF_AUTH_TIMEOUT), 120);
}

static void test_table_is_in_order_and_helpful(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONF_COUNT; i++) {
		const struct conf_key *key = &conf_table[i];

		assert_int_equal(key->id, i);
		assert_true(key->help && strlen(key->help) > 10);
		assert_true((key->type == CONF_CHOICE) == (key->choices != NULL));
		for (size_t j = 0; j < i; j++)
			assert_false(strcmp(conf_table[j].section, key->section) == 0 &&
				     strcmp(conf_table[j].name, key->name) == 0);
	}
}

static void test_load_finds_the_file_or_says_so(void **state)
{
	char path[] = "/tmp/hotdesk-conf-XXXXXX";
	_cleanup_(conf_freep) struct conf *named = NULL, *by_environment = NULL;
	struct conf *none = NULL;
	struct error err = {0};
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(fd_write_all(fd, "[host]\nnetwork = none\n", 22), 0);
	close(fd);
	assert_int_equal(conf_load(path, &named, &err), 0);
	assert_string_equal(conf_string(named, CONF_NETWORK), "none");
	setenv("HOTDESK_CONFIG", path, 1);
	assert_int_equal(conf_load(NULL, &by_environment, &err), 0);
	assert_string_equal(conf_string(by_environment, CONF_NETWORK), "none");
	unlink(path);
	assert_int_equal(conf_load(NULL, &none, &err), -ENOENT);
	assert_non_null(strstr(err.text, path));
	unsetenv("HOTDESK_CONFIG");
	assert_int_equal(conf_load("/", &none, &err) < 0, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty_text_gives_every_default),
	    cmocka_unit_test(test_sizes_have_units),
	    cmocka_unit_test(test_values_replace_defaults),
	    cmocka_unit_test(test_errors_name_file_and_line),
	    cmocka_unit_test(test_bad_values_are_refused),
	    cmocka_unit_test(test_nul_and_long_lines_are_refused),
	    cmocka_unit_test(test_dump_reads_back_the_same),
	    cmocka_unit_test(test_table_is_in_order_and_helpful),
	    cmocka_unit_test(test_load_finds_the_file_or_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
