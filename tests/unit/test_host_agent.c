/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/agent_link.h"
#include "tests/unit/agent_guest.h"

#include <json-c/json.h>
#include <sys/socket.h>
#include <time.h>

static int parse(const char *line, struct agent_message *ret)
{
	return agent_parse(line, strlen(line), ret);
}

static void a_hello_with_all_its_fields(void **state)
{
	struct agent_message message;

	(void)state;
	assert_int_equal(
	    parse("{\"type\":\"hello\",\"version\":1,\"agent\":\"0.1.0\",\"nonce\":\"0123456789abcdef0123456789"
		  "abcdef\",\"capabilities\":[\"size\",\"clipboard\"],\"ready\":true}",
		  &message),
	    0);
	assert_int_equal(message.type, AGENT_HELLO);
	assert_true(message.ready);
	assert_string_equal(message.agent, "0.1.0");
	assert_string_equal(message.nonce, "0123456789abcdef0123456789abcdef");
	assert_int_equal(message.n_capabilities, 2);
	assert_string_equal(message.capabilities[1], "clipboard");
}

static void words_with_foreign_characters_are_left_out(void **state)
{
	struct agent_message message;

	(void)state;
	assert_int_equal(parse("{\"type\":\"hello\",\"version\":1,\"agent\":\"<b>\\u001b[2J\",\"nonce\":7,"
			       "\"capabilities\":[\"a b\",3,null,\"ok\",\"0123456789012345678901234567890123456789\"]}",
			       &message),
			 0);
	assert_string_equal(message.agent, "");
	assert_string_equal(message.nonce, "");
	assert_int_equal(message.n_capabilities, 1);
	assert_string_equal(message.capabilities[0], "ok");
}

static void more_capabilities_than_there_is_room_for(void **state)
{
	struct agent_message message;
	char line[1024];
	int used = snprintf(line, sizeof(line), "{\"type\":\"hello\",\"version\":1,\"capabilities\":[\"x\"");

	(void)state;
	for (int i = 0; i < 100; i++)
		used += snprintf(line + used, sizeof(line) - (size_t)used, ",\"x\"");
	snprintf(line + used, sizeof(line) - (size_t)used, "]}");
	assert_int_equal(parse(line, &message), 0);
	assert_int_equal(message.n_capabilities, AGENT_CAPABILITIES_MAX);
}

static void types(void **state)
{
	struct agent_message message;

	(void)state;
	assert_int_equal(parse("{\"type\":\"ready\"}", &message), 0);
	assert_int_equal(message.type, AGENT_READY);
	assert_int_equal(parse("{\"type\":\"heartbeat\",\"more\":{}}", &message), 0);
	assert_int_equal(message.type, AGENT_HEARTBEAT);
	assert_int_equal(parse("{\"type\":\"of a later version\"}", &message), 0);
	assert_int_equal(message.type, AGENT_UNKNOWN);
}

static void what_is_not_the_protocol(void **state)
{
	static const char *const lines[] = {"",
					    "{}",
					    "[]",
					    "{\"type\":1}",
					    "{\"type\":\"hello\"}",
					    "hello",
					    "{\"type\":\"hello\",\"version\":0}",
					    "{\"type\":\"hello\",\"version\":\"1\"}",
					    "{\"type\":\"hello\",\"version\":99999999999}",
					    "{\"type\":\"session\"}",
					    "{\"type\":\"session\",\"state\":\"active\"}",
					    "{\"type\":\"session\",\"state\":\"active\",\"uid\":-1}",
					    "{\"type\":\"session\",\"state\":\"active\",\"uid\":4294967296}",
					    "{\"type\":\"session\",\"state\":\"none\",\"uid\":1}",
					    "{\"type\":\"result\",\"ok\":true}",
					    "{\"type\":\"result\",\"id\":0}",
					    "{\"type\":\"result\",\"id\":2147483648}",
					    "{\"type\":\"leaving\"}"};
	struct agent_message message;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(parse(lines[i], &message), -EBADMSG);
}

static void sessions_results_and_leaving(void **state)
{
	struct agent_message message;

	(void)state;
	assert_int_equal(
	    parse("{\"type\":\"hello\",\"version\":1,\"os\":\"Debian\\u001b[2J\",\"session\":{\"state\":\"locked\","
		  "\"user\":\"alice\",\"uid\":2001}}",
		  &message),
	    0);
	assert_string_equal(message.os, "Debian [2J");
	assert_int_equal(message.session.state, AGENT_SESSION_LOCKED);
	assert_int_equal(message.session.uid, 2001);
	assert_int_equal(
	    parse("{\"type\":\"hello\",\"version\":1,\"session\":{\"state\":\"king\",\"uid\":1}}", &message), 0);
	assert_int_equal(message.session.state, AGENT_SESSION_NONE);
	assert_int_equal(
	    parse("{\"type\":\"session\",\"state\":\"ended\",\"uid\":4294967295,\"reason\":\"over\"}", &message), 0);
	assert_int_equal(message.session.uid, UINT32_MAX);
	assert_string_equal(message.session.user, "");
	assert_string_equal(message.session.reason, "over");
	assert_int_equal(parse("{\"type\":\"result\",\"id\":2147483647,\"ok\":false,\"error\":5}", &message), 0);
	assert_int_equal(message.id, INT32_MAX);
	assert_false(message.ok);
	assert_string_equal(message.error, "");
	assert_int_equal(parse("{\"type\":\"leaving\",\"how\":\"power-off\"}", &message), 0);
	assert_false(message.reboot);
	assert_int_equal(parse("{\"type\":\"leaving\",\"how\":\"reboot\"}", &message), 0);
	assert_true(message.reboot);
}

/* An OS of `front` and a hundred characters of two bytes. */
static size_t long_os(const char *front)
{
	struct agent_message message;
	char line[400];
	int n = snprintf(line, sizeof(line), "{\"type\":\"hello\",\"version\":1,\"os\":\"%s", front);

	for (int i = 0; i < 100; i++)
		n += snprintf(line + n, sizeof(line) - (size_t)n, "ü");
	snprintf(line + n, sizeof(line) - (size_t)n, "\"}");
	assert_int_equal(parse(line, &message), 0);
	return strlen(message.os);
}

static void texts_are_cut_at_a_whole_character(void **state)
{
	(void)state;
	assert_int_equal(long_os("x"), AGENT_TEXT_SIZE - 1);
	assert_int_equal(long_os(""), AGENT_TEXT_SIZE - 2);
}

/* What the link has told. */
struct heard {
	struct agent_guest guest;
	struct agent_link *link;
	unsigned hellos, readies;
	struct agent_message last;
	int r; /* of the last request that ended; 1: none yet */
	struct error err;
};

static void on_said(const struct agent_message *message, void *userdata)
{
	struct heard *heard = userdata;

	heard->hellos += message->type == AGENT_HELLO;
	heard->readies += message->type == AGENT_READY;
	heard->last = *message;
}

static int guest_setup(void **state)
{
	static const struct agent_link_ops ops = {on_said, NULL};
	struct heard *heard = calloc(1, sizeof(*heard));

	*state = heard;
	return agent_guest_new(&heard->guest) < 0 ||
		       agent_link_new(heard->guest.event, heard->guest.path, &ops, heard, &heard->link) < 0
		   ? -1
		   : 0;
}

static int guest_teardown(void **state)
{
	struct heard *heard = *state;

	agent_link_free(heard->link);
	agent_guest_clear(&heard->guest);
	free(heard);
	return 0;
}

static void guest_hello(struct agent_guest *guest, const char *nonce)
{
	char line[256];

	snprintf(line, sizeof(line), "{\"type\":\"hello\",\"version\":1,\"nonce\":\"%s\",\"ready\":false}\n", nonce);
	agent_guest_say(guest, line);
}

static void only_an_answer_to_this_connections_nonce_counts(void **state)
{
	struct heard *heard = *state;
	struct agent_guest *guest = &heard->guest;

	agent_guest_open(guest);
	guest_hello(guest, "00000000000000000000000000000000");
	agent_guest_say(guest, "{\"type\":\"ready\"}\n");
	assert_int_equal(heard->hellos, 0);
	assert_int_equal(heard->readies, 0);
	guest_hello(guest, guest->nonce);
	agent_guest_say(guest, "{\"type\":\"ready\"}\n");
	assert_int_equal(heard->hellos, 1);
	assert_int_equal(heard->readies, 1);
}

static void each_connection_has_a_nonce_of_its_own(void **state)
{
	struct heard *heard = *state;
	struct agent_guest *guest = &heard->guest;
	char first[AGENT_NONCE_SIZE];

	agent_guest_open(guest);
	memcpy(first, guest->nonce, sizeof(first));
	close(guest->port);
	guest->port = -1;
	agent_guest_open(guest);
	assert_string_not_equal(first, guest->nonce);
}

static void garbage_is_passed_over_and_a_line_without_end_ends_the_connection(void **state)
{
	static char flood[70000];
	struct heard *heard = *state;
	struct agent_guest *guest = &heard->guest;
	char byte;

	agent_guest_open(guest);
	agent_guest_say(guest, "garbage\n{\"type\":\n\xff\xfe\n");
	guest_hello(guest, guest->nonce);
	assert_int_equal(heard->hellos, 1);
	memset(flood, 'x', sizeof(flood));
	assert_int_equal(send(guest->port, flood, sizeof(flood), MSG_NOSIGNAL), sizeof(flood));
	for (int i = 0; i < 20; i++)
		agent_guest_run(guest);
	assert_true(recv(guest->port, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET);
}

static void a_guest_that_floods_is_read_slowly(void **state)
{
	static const char line[] = "{\"type\":\"ready\"}\n";
	static char flood[1000 * (sizeof(line) - 1)];
	struct heard *heard = *state;
	struct agent_guest *guest = &heard->guest;
	unsigned at_once;

	agent_guest_open(guest);
	guest_hello(guest, guest->nonce);
	for (int i = 0; i < 1000; i++)
		memcpy(flood + i * (sizeof(line) - 1), line, sizeof(line) - 1);
	assert_int_equal(send(guest->port, flood, sizeof(flood), MSG_NOSIGNAL), sizeof(flood));
	while (sd_event_run(guest->event, 0) > 0)
		;
	at_once = heard->readies;
	/* One read of the limit's own second may go over it. */
	assert_in_range(at_once, 1, 100 + 8192 / (sizeof(line) - 1) + 1);
	while (heard->readies == at_once)
		agent_guest_run(guest);
}

static void request_done(int r, const struct error *err, void *userdata)
{
	struct heard *heard = userdata;

	heard->r = r;
	heard->err = *err;
}

static int request(struct heard *heard, const char *name, const char *fields)
{
	struct json_object *object = json_tokener_parse(fields);
	int r;

	heard->r = 1;
	r = agent_link_request(heard->link, name, object, request_done, heard, &heard->err);
	json_object_put(object);
	return r;
}

static void a_request_has_its_own_answer(void **state)
{
	struct heard *heard = *state;
	struct agent_guest *guest = &heard->guest;
	char line[512];

	agent_guest_open(guest);
	assert_int_equal(request(heard, "lock", "{}"), -ENOTCONN);
	guest_hello(guest, guest->nonce);
	assert_int_equal(request(heard, "set-hostname", "{\"hostname\":\"desk-1\",\"more\":1}"), 0);
	agent_guest_hear(guest, line, sizeof(line));
	assert_string_equal(line, "{\"type\":\"set-hostname\",\"id\":1,\"hostname\":\"desk-1\"}\n");
	agent_guest_say(guest, "{\"type\":\"result\",\"id\":7,\"ok\":true}\n");
	assert_int_equal(heard->r, 1);
	agent_guest_say(guest, "{\"type\":\"result\",\"id\":1,\"ok\":true}\n");
	assert_int_equal(heard->r, 0);
	assert_int_equal(request(heard, "lock", "{}"), 0);
	agent_guest_hear(guest, line, sizeof(line));
	agent_guest_say(guest, "{\"type\":\"result\",\"id\":2,\"ok\":false,\"error\":\"nobody\\u001b is\"}\n");
	assert_int_equal(heard->r, -EREMOTEIO);
	assert_string_equal(heard->err.text, "nobody  is");
	heard->r = 1;
	agent_guest_say(guest, "{\"type\":\"result\",\"id\":2,\"ok\":true}\n");
	assert_int_equal(heard->r, 1);
}

static void requests_end_with_their_connection(void **state)
{
	struct heard *heard = *state;
	struct agent_guest *guest = &heard->guest;

	agent_guest_open(guest);
	guest_hello(guest, guest->nonce);
	assert_int_equal(request(heard, "log-off", "{}"), 0);
	agent_guest_close(guest);
	for (int i = 0; i < 100 && heard->r == 1; i++)
		agent_guest_run(guest);
	assert_int_equal(heard->r, -ECONNRESET);
	/* Until the agent has answered the next one nothing is asked. */
	agent_guest_open(guest);
	assert_int_equal(request(heard, "lock", "{}"), -ENOTCONN);
}

static void only_so_many_requests_are_under_way(void **state)
{
	struct heard *heard = *state;
	struct agent_guest *guest = &heard->guest;

	agent_guest_open(guest);
	guest_hello(guest, guest->nonce);
	for (int i = 0; i < AGENT_REQUESTS_MAX; i++)
		assert_int_equal(request(heard, "lock", "{}"), 0);
	assert_int_equal(request(heard, "lock", "{}"), -EBUSY);
	agent_guest_say(guest, "{\"type\":\"result\",\"id\":3,\"ok\":true}\n");
	assert_int_equal(request(heard, "lock", "{}"), 0);
}

static void a_request_that_is_not_answered_ends(void **state)
{
	struct heard *heard = *state;
	struct agent_guest *guest = &heard->guest;

	agent_guest_open(guest);
	guest_hello(guest, guest->nonce);
	assert_int_equal(request(heard, "lock", "{}"), 0);
	agent_guest_skipped = 19;
	for (int i = 0; i < 60; i++)
		agent_guest_run(guest);
	assert_int_equal(heard->r, 1);
	agent_guest_skipped = 21;
	for (int i = 0; i < 200 && heard->r == 1; i++)
		agent_guest_run(guest);
	agent_guest_skipped = 0;
	assert_int_equal(heard->r, -ETIMEDOUT);
}

static void a_guest_that_does_not_read_fills_no_memory(void **state)
{
	static char fields[16384];
	struct heard *heard = *state;
	struct agent_guest *guest = &heard->guest;
	int n = snprintf(fields, sizeof(fields), "{\"name\":\"");
	int r = 0, asked = 0;

	for (int i = 0; i < 255; i++)
		fields[n++] = 'x';
	snprintf(fields + n, sizeof(fields) - (size_t)n,
		 "\",\"uid\":2001,\"gid\":100,\"full_name\":\"\",\"groups\":[]}");
	agent_guest_open(guest);
	guest_hello(guest, guest->nonce);
	for (; asked < 5000 && r == 0; asked++) {
		char result[64];

		r = request(heard, "sign-in", fields);
		snprintf(result, sizeof(result), "{\"type\":\"result\",\"id\":%d,\"ok\":true}\n", asked + 1);
		agent_guest_say(guest, result);
		while (heard->r == 1 && r == 0)
			agent_guest_run(guest);
	}
	assert_int_equal(r, -ENOBUFS);
}

static void requests_are_checked_before_they_are_sent(void **state)
{
	static const struct {
		const char *name, *fields;
	} wrong[] = {
	    {"format-disk", "{}"},
	    {"set-hostname", "{}"},
	    {"set-hostname", "{\"hostname\":\"-a\"}"},
	    {"set-hostname", "{\"hostname\":\"a b\"}"},
	    {"set-machine-id", "{\"machine_id\":\"0123\"}"},
	    {"set-time", "{\"time\":\"now\"}"},
	    {"sign-in", "{\"name\":\"\",\"uid\":1,\"gid\":1,\"full_name\":\"\",\"groups\":[]}"},
	    {"sign-in", "{\"name\":\"a\\u0000b\",\"uid\":1,\"gid\":1,\"full_name\":\"\",\"groups\":[]}"},
	    {"sign-in", "{\"name\":\"a\\nb\",\"uid\":1,\"gid\":1,\"full_name\":\"\",\"groups\":[]}"},
	    {"sign-in", "{\"name\":\"a\",\"uid\":0,\"gid\":1,\"full_name\":\"\",\"groups\":[]}"},
	    {"sign-in", "{\"name\":\"a\",\"uid\":4294967295,\"gid\":1,\"full_name\":\"\",\"groups\":[]}"},
	    {"sign-in", "{\"name\":\"a\",\"uid\":1,\"gid\":1,\"full_name\":\"\",\"groups\":[\"a b\"]}"},
	    {"sign-in", "{\"name\":\"a\",\"uid\":1,\"gid\":1,\"full_name\":\"\",\"groups\":[1]}"},
	    {"sign-in", "{\"name\":\"a\",\"uid\":1,\"gid\":1,\"full_name\":\"\"}"},
	};
	struct heard *heard = *state;
	char line[512];

	agent_guest_open(&heard->guest);
	guest_hello(&heard->guest, heard->guest.nonce);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(request(heard, wrong[i].name, wrong[i].fields), -EINVAL);
	assert_int_equal(request(heard, "sign-in",
				 "{\"name\":\"Jürgen\",\"uid\":2001,\"gid\":100,\"full_name\":\"\","
				 "\"groups\":[\"audio\"]}"),
			 0);
	agent_guest_hear(&heard->guest, line, sizeof(line));
	assert_non_null(strstr(line, "\"groups\":[\"audio\"]"));
}

#define with_guest(test) cmocka_unit_test_setup_teardown(test, guest_setup, guest_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_hello_with_all_its_fields),
	    cmocka_unit_test(words_with_foreign_characters_are_left_out),
	    cmocka_unit_test(more_capabilities_than_there_is_room_for),
	    cmocka_unit_test(types),
	    cmocka_unit_test(what_is_not_the_protocol),
	    cmocka_unit_test(sessions_results_and_leaving),
	    cmocka_unit_test(texts_are_cut_at_a_whole_character),
	    with_guest(only_an_answer_to_this_connections_nonce_counts),
	    with_guest(each_connection_has_a_nonce_of_its_own),
	    with_guest(garbage_is_passed_over_and_a_line_without_end_ends_the_connection),
	    with_guest(a_guest_that_floods_is_read_slowly),
	    with_guest(a_request_has_its_own_answer),
	    with_guest(requests_end_with_their_connection),
	    with_guest(only_so_many_requests_are_under_way),
	    with_guest(a_request_that_is_not_answered_ends),
	    with_guest(a_guest_that_does_not_read_fills_no_memory),
	    with_guest(requests_are_checked_before_they_are_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
