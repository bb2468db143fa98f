/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/cleanup.h"
#include "guest-agent/codec.h"
#include "guest-agent/uevent.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct seen {
	int count;
	size_t size;
	char last[CODEC_LINE_MAX];
};

static void see(const char *line, size_t size, void *userdata)
{
	struct seen *seen = userdata;

	assert_int_equal(line[size], '\0');
	seen->count++;
	seen->size = size;
	memcpy(seen->last, line, size + 1);
}

static void feed(struct lines *lines, struct seen *seen, const char *text)
{
	assert_int_equal(lines_feed(lines, text, strlen(text), see, seen), 0);
}

static void lines_are_cut_wherever_the_bytes_are(void **state)
{
	_cleanup_free_ struct seen *seen = calloc(1, sizeof(*seen));
	struct lines lines = {0};

	(void)state;
	feed(&lines, seen, "\n\nab");
	assert_int_equal(seen->count, 0);
	feed(&lines, seen, "c");
	feed(&lines, seen, "\nd\nef");
	assert_int_equal(seen->count, 2);
	assert_string_equal(seen->last, "d");
	feed(&lines, seen, "\n");
	assert_string_equal(seen->last, "ef");
	feed(&lines, seen, "half");
	lines_reset(&lines);
	feed(&lines, seen, "whole\n");
	assert_string_equal(seen->last, "whole");
	lines_clear(&lines);
}

static void a_line_that_is_too_long_is_skipped_whole(void **state)
{
	_cleanup_free_ struct seen *seen = calloc(1, sizeof(*seen));
	_cleanup_free_ char *big = malloc(CODEC_LINE_MAX + 1);
	struct lines lines = {0};

	(void)state;
	memset(big, 'x', CODEC_LINE_MAX);
	big[CODEC_LINE_MAX] = '\0';
	feed(&lines, seen, big);
	feed(&lines, seen, big);
	assert_true(lines.room <= 2 * (size_t)CODEC_LINE_MAX);
	feed(&lines, seen, "tail\n");
	assert_int_equal(seen->count, 0);
	feed(&lines, seen, "next\n");
	assert_int_equal(seen->count, 1);
	assert_string_equal(seen->last, "next");

	big[CODEC_LINE_MAX - 1] = '\0'; /* the longest allowed, with its newline */
	feed(&lines, seen, big);
	feed(&lines, seen, "\n");
	assert_int_equal(seen->count, 2);
	assert_int_equal(seen->size, CODEC_LINE_MAX - 1);
	lines_clear(&lines);
}

static int parse(const char *line, struct message *message)
{
	return message_parse(line, strlen(line), message);
}

static void a_hello_gives_version_and_nonce(void **state)
{
	struct message message;

	(void)state;
	assert_int_equal(parse("{\"type\":\"hello\",\"version\":1,\"nonce\":\"00ffAA\",\"new\":[1]}", &message), 0);
	assert_int_equal(message.type, MESSAGE_HELLO);
	assert_int_equal(message.version, 1);
	assert_string_equal(message.nonce, "00ffAA");
	assert_int_equal(parse("{\"type\":\"hello\"}", &message), 0);
	assert_int_equal(message.version, 0);
	assert_string_equal(message.nonce, "");
}

static void what_is_not_known_is_told_from_what_is_wrong(void **state)
{
	static const char *const wrong[] = {
	    "",
	    "nonsense",
	    "[]",
	    "1",
	    "null",
	    "{}",
	    "{\"type\":1}",
	    "{\"type\":\"hello\"",
	    "{\"type\":\"hello\"} x",
	    "{\"type\":\"hello\",\"version\":\"1\"}",
	    "{\"type\":\"hello\",\"version\":-1}",
	    "{\"type\":\"hello\",\"version\":4294967296}",
	    "{\"type\":\"hello\",\"nonce\":1}",
	    "{\"type\":\"hello\",\"nonce\":\"not hexadecimal\"}",
	    "{\"type\":\"hello\",\"nonce\":\"\\u00000\"}",
	    "{\"type\":\"hello\",\"nonce\":\"000000000000000000000000000000000\"}",
	    "{\"type\":\"x\",\"a\":[[[[[[[[[[1]]]]]]]]]]}",
	};
	struct message message = {.type = MESSAGE_READY};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (parse(wrong[i], &message) != -EBADMSG)
			fail_msg("accepted: %s", wrong[i]);
		assert_int_equal(message.type, MESSAGE_READY);
	}
	assert_int_equal(message_parse("{\"type\":\"rea\0dy\"}", 17, &message), -EBADMSG);
	assert_int_equal(parse("{\"type\":\"of a later version\"}", &message), 0);
	assert_int_equal(message.type, MESSAGE_UNKNOWN);
}

static void what_is_written_is_one_line_that_reads_the_same(void **state)
{
	static const struct message messages[] = {
	    {.type = MESSAGE_HELLO, .version = 1, .nonce = "0123456789abcdef0123456789abcdef"},
	    {.type = MESSAGE_READY},
	    {.type = MESSAGE_HEARTBEAT},
	    {.type = MESSAGE_SESSION, .version = 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		_cleanup_free_ char *line = NULL;
		struct message back;
		size_t size;

		assert_int_equal(message_write(&messages[i], true, &line, &size), 0);
		assert_ptr_equal(memchr(line, '\n', size), line + size - 1);
		assert_int_equal(message_parse(line, size - 1, &back), 0);
		assert_memory_equal(&back, &messages[i], sizeof(back));
	}
}

static void a_hello_says_what_the_agent_can_do(void **state)
{
	static const struct message hello = {.type = MESSAGE_HELLO, .version = 1, .nonce = "ab"};
	_cleanup_free_ char *line = NULL;
	size_t size;

	(void)state;
	assert_int_equal(message_write(&hello, true, &line, &size), 0);
	assert_string_equal(line, "{\"type\":\"hello\",\"version\":1,\"agent\":\"" HOTDESK_VERSION
				  "\",\"nonce\":\"ab\",\"capabilities\":[\"size\"],\"ready\":true}\n");
}

static void only_a_screen_s_hotplug_is_taken_from_the_kernel(void **state)
{
	static const char screen[] = "change@/devices/pci0000:00/drm/card0\0ACTION=change\0SUBSYSTEM=drm\0HOTPLUG=1";
	static const char other[] = "change@/devices/pci0000:00/drm/card0\0SUBSYSTEM=drm\0LEASE=1";
	static const char disk[] = "change@/devices/vda\0SUBSYSTEM=block\0HOTPLUG=1";

	(void)state;
	assert_true(uevent_is_screen(screen, sizeof(screen)));
	assert_false(uevent_is_screen(screen, sizeof(screen) - 1)); /* cut */
	assert_false(uevent_is_screen(other, sizeof(other)));
	assert_false(uevent_is_screen(disk, sizeof(disk)));
	assert_false(uevent_is_screen("", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_are_cut_wherever_the_bytes_are),
	    cmocka_unit_test(a_line_that_is_too_long_is_skipped_whole),
	    cmocka_unit_test(a_hello_gives_version_and_nonce),
	    cmocka_unit_test(what_is_not_known_is_told_from_what_is_wrong),
	    cmocka_unit_test(what_is_written_is_one_line_that_reads_the_same),
	    cmocka_unit_test(a_hello_says_what_the_agent_can_do),
	    cmocka_unit_test(only_a_screen_s_hotplug_is_taken_from_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
