/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/cleanup.h"
#include "guest-agent/codec.h"
#include "guest-agent/prepare.h"
#include "guest-agent/uevent.h"
#include "guest-agent/words.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LINE_SIZE 4096

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
	struct message message;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (parse(wrong[i], &message) != -EBADMSG)
			fail_msg("accepted: %s", wrong[i]);
	assert_int_equal(message_parse("{\"type\":\"rea\0dy\"}", 17, &message), -EBADMSG);
	assert_int_equal(parse("{\"type\":\"of a later version\"}", &message), 0);
	assert_int_equal(message.type, MESSAGE_UNKNOWN);
}

static void a_sign_in_names_a_person(void **state)
{
	struct message message;

	(void)state;
	assert_int_equal(parse("{\"type\":\"sign-in\",\"id\":7,\"name\":\"CORP\\\\Alice\",\"uid\":2001,\"gid\":3001,"
			       "\"full_name\":\"Alice \\u00c4\",\"groups\":[\"audio\",\"video\"]}",
			       &message),
			 0);
	assert_int_equal(message.type, MESSAGE_SIGN_IN);
	assert_int_equal(message.id, 7);
	assert_string_equal(message.person.name, "CORP\\Alice");
	assert_string_equal(message.person.full_name, "Alice \303\204");
	assert_int_equal(message.person.uid, 2001);
	assert_int_equal(message.person.gid, 3001);
	assert_int_equal(message.person.n_groups, 2);
	assert_string_equal(message.person.groups[1], "video");
}

#define PERSON "{\"type\":\"sign-in\",\"id\":9,\"name\":\"a\",\"uid\":2001,\"gid\":2001"

static void a_request_that_is_wrong_keeps_its_id_for_the_answer(void **state)
{
	static const char *const wrong[] = {
	    "{\"type\":\"sign-in\",\"id\":9}",
	    "{\"type\":\"sign-in\",\"id\":9,\"name\":\"\",\"uid\":1,\"gid\":1}",
	    "{\"type\":\"sign-in\",\"id\":9,\"name\":\"a\",\"uid\":0,\"gid\":1}",
	    "{\"type\":\"sign-in\",\"id\":9,\"name\":\"a\",\"uid\":4294967295,\"gid\":1}",
	    "{\"type\":\"sign-in\",\"id\":9,\"name\":\"a\\u0000b\",\"uid\":1,\"gid\":1}",
	    PERSON ",\"groups\":\"audio\"}",
	    PERSON ",\"groups\":[1]}",
	    PERSON ",\"groups\":[\"\"]}",
	    PERSON ",\"groups\":[\"-G\"]}",
	    PERSON ",\"groups\":[\"a,b\"]}",
	    PERSON ",\"groups\":[\"a234567890123456789012345678901234\"]}",
	    PERSON ",\"full_name\":1}",
	    "{\"type\":\"set-time\",\"id\":9}",
	    "{\"type\":\"set-time\",\"id\":9,\"time\":-1}",
	    "{\"type\":\"set-hostname\",\"id\":9,\"hostname\":\"\"}",
	    "{\"type\":\"set-hostname\",\"id\":9,\"hostname\":\"a.b\"}",
	    "{\"type\":\"set-hostname\",\"id\":9,\"hostname\":\"-a\"}",
	    "{\"type\":\"set-hostname\",\"id\":9,\"hostname\":\"a-\"}",
	    "{\"type\":\"set-machine-id\",\"id\":9,\"machine_id\":\"0123456789abcdef0123456789abcde\"}",
	    "{\"type\":\"set-machine-id\",\"id\":9,\"machine_id\":\"0123456789abcdef0123456789abcdeF\"}",
	};
	struct message message;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (parse(wrong[i], &message) != -EBADMSG)
			fail_msg("accepted: %s", wrong[i]);
		assert_int_equal(message.id, 9);
	}
	assert_int_equal(parse("{\"type\":\"lock\",\"id\":0}", &message), -EBADMSG);
	assert_int_equal(message.id, 0);
	assert_int_equal(parse("{\"type\":\"of a later version\",\"id\":5}", &message), 0);
	assert_int_equal(message.id, 5);
}

static void append(char line[LINE_SIZE], const char *text)
{
	size_t used = strlen(line);

	snprintf(line + used, LINE_SIZE - used, "%s", text);
}

/* One sign-in with more groups than there is room for. */
static void groups_are_capped(void **state)
{
	char line[LINE_SIZE] = PERSON ",\"groups\":[\"g\"";
	struct message message;

	(void)state;
	for (int i = 1; i < CODEC_GROUPS_MAX; i++)
		append(line, ",\"g\"");
	append(line, "]}");
	assert_int_equal(parse(line, &message), 0);
	assert_int_equal(message.person.n_groups, CODEC_GROUPS_MAX);
	line[strlen(line) - 2] = '\0';
	append(line, ",\"g\"]}");
	assert_int_equal(parse(line, &message), -EBADMSG);
}

static void says(char *taken, const char *expected)
{
	_cleanup_free_ char *line = taken;

	assert_string_equal(line, expected);
}

static void what_is_said_is_one_line(void **state)
{
	static const char *const capabilities[] = {"size", "lock", NULL};
	struct hello hello = {.nonce = "ab", .os = "Tiny \"1\"", .capabilities = capabilities, .ready = true};
	struct session_info session = {.state = SESSION_LOCKED, .user = "alice", .uid = 2001, .reason = ""};

	(void)state;
	says(words_hello(&hello), "{\"type\":\"hello\",\"version\":1,\"agent\":\"" HOTDESK_VERSION
				  "\",\"nonce\":\"ab\",\"os\":\"Tiny \\\"1\\\"\",\"capabilities\":[\"size\",\"lock\"],"
				  "\"ready\":true}\n");
	hello.capabilities = (const char *const[]){NULL};
	hello.session = session;
	says(words_hello(&hello),
	     "{\"type\":\"hello\",\"version\":1,\"agent\":\"" HOTDESK_VERSION
	     "\",\"nonce\":\"ab\",\"os\":\"Tiny \\\"1\\\"\",\"capabilities\":[],\"ready\":true,"
	     "\"session\":{\"type\":\"session\",\"state\":\"locked\",\"user\":\"alice\",\"uid\":2001}}\n");
	session = (struct session_info){.state = SESSION_ENDED, .user = "bob", .uid = 7, .reason = "why\nso"};
	says(words_session(&session),
	     "{\"type\":\"session\",\"state\":\"ended\",\"user\":\"bob\",\"uid\":7,\"reason\":\"why\\nso\"}\n");
	says(words_result(3, NULL), "{\"type\":\"result\",\"id\":3,\"ok\":true}\n");
	says(words_result(4, "no"), "{\"type\":\"result\",\"id\":4,\"ok\":false,\"error\":\"no\"}\n");
	says(words_leaving("reboot"), "{\"type\":\"leaving\",\"how\":\"reboot\"}\n");
	says(words_plain("heartbeat"), "{\"type\":\"heartbeat\"}\n");
	says(words_part("locked"), "{\"type\":\"locked\",\"version\":1}\n");
}

static void named(const char *company, const char *expected)
{
	char name[ACCOUNT_NAME_MAX];

	account_name(company, name);
	assert_string_equal(name, expected);
	assert_true(account_name_is_unix(name));
}

static void accounts_get_names_that_unix_takes(void **state)
{
	char name[ACCOUNT_NAME_MAX], full[16];

	(void)state;
	named("alice", "alice");
	named("a_b-9", "a_b-9");
	named("Alice", "alice");
	named("alice@corp.example", "alice");
	named("CORP\\Bob Smith", "bob_smith");
	named("9lives", "u9lives");
	named("@corp", "u");
	named("J\303\274rgen", "j__rgen");
	named("a-name-of-more-than-thirty-two-letters", "a-name-of-more-than-t");
	account_name("a-name-of-more-than-thirty-two-letters", name);
	account_name_add_uid(name, 4294967294u);
	assert_string_equal(name, "a-name-of-more-than-t-4294967294");
	assert_true(account_name_is_unix(name));
	assert_false(account_name_is_unix(""));
	assert_false(account_name_is_unix("-x"));
	assert_false(account_name_is_unix("a-name-of-more-than-32-characters"));
	account_full_name("A: B,C=D\nE and much more", full, sizeof(full));
	assert_string_equal(full, "A  B C D E and ");
}

static void arguments_of_an_account_are_checked(void **state)
{
	char *const good[] = {"alice", "2001", "3001", "Alice L", "audio,video"};
	char *const no_uid[] = {"alice", "", "3001", "", ""};
	char *const bad_uid[] = {"alice", "20x", "3001", "", ""};
	struct person person;

	(void)state;
	assert_int_equal(prepare_parse(good, &person), 0);
	assert_int_equal(person.n_groups, 2);
	assert_string_equal(person.groups[0], "audio");
	assert_string_equal(person.groups[1], "video");
	assert_int_equal(person.gid, 3001);
	assert_int_equal(prepare_parse(no_uid, &person), -EINVAL);
	assert_int_equal(prepare_parse(bad_uid, &person), -EINVAL);
}

static void accounts_of_the_system_are_nobody_s(void **state)
{
	struct person person = {.name = "alice", .uid = 500, .gid = 500};
	char name[ACCOUNT_NAME_MAX];
	struct error err = {0};

	(void)state;
	assert_int_equal(prepare_user(&person, name, &err), -EPERM);
	assert_non_null(strstr(err.text, "uid 500 of alice"));
	person = (struct person){.name = "daemon", .uid = 54321, .gid = 54321};
	assert_int_equal(prepare_user(&person, name, &err), -EEXIST);
	assert_non_null(strstr(err.text, "that of a system account (uid 1)"));
	person = (struct person){
	    .name = "nobodyhere", .uid = 54321, .gid = 54321, .groups = {"no-such-group"}, .n_groups = 1};
	assert_int_equal(prepare_user(&person, name, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no group no-such-group"));
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
	    cmocka_unit_test(a_sign_in_names_a_person),
	    cmocka_unit_test(a_request_that_is_wrong_keeps_its_id_for_the_answer),
	    cmocka_unit_test(groups_are_capped),
	    cmocka_unit_test(what_is_said_is_one_line),
	    cmocka_unit_test(accounts_get_names_that_unix_takes),
	    cmocka_unit_test(arguments_of_an_account_are_checked),
	    cmocka_unit_test(accounts_of_the_system_are_nobody_s),
	    cmocka_unit_test(only_a_screen_s_hotplug_is_taken_from_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
