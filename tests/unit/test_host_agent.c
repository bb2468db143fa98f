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

#include "common/cleanup.h"
#include "common/packet.h"
#include "host/agent_link.h"

#include <sys/socket.h>
#include <unistd.h>

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
					    "{\"type\":\"hello\",\"version\":99999999999}"};
	struct agent_message message;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(parse(lines[i], &message), -EBADMSG);
}

/* A guest of this test's own at the end of the port's socket. */
struct guest {
	char directory[32], path[64], nonce[AGENT_NONCE_SIZE];
	int listener, port;
	sd_event *event;
	struct agent_link *link;
	unsigned hellos, readies;
};

static void on_hello(const struct agent_message *hello, void *userdata)
{
	(void)hello;
	((struct guest *)userdata)->hellos++;
}

static void on_ready(void *userdata)
{
	((struct guest *)userdata)->readies++;
}

static int guest_setup(void **state)
{
	static const struct agent_link_ops ops = {on_hello, on_ready, NULL};
	struct guest *guest = calloc(1, sizeof(*guest));

	*state = guest;
	snprintf(guest->directory, sizeof(guest->directory), "/tmp/agent-XXXXXX");
	if (!mkdtemp(guest->directory))
		return -1;
	snprintf(guest->path, sizeof(guest->path), "%s/agent.sock", guest->directory);
	guest->port = -1;
	guest->listener = socket_listen(guest->path, SOCK_STREAM, 4, 0600);
	return guest->listener < 0 || sd_event_default(&guest->event) < 0 ||
		       agent_link_new(guest->event, guest->path, &ops, guest, &guest->link) < 0
		   ? -1
		   : 0;
}

static int guest_teardown(void **state)
{
	struct guest *guest = *state;

	agent_link_free(guest->link);
	sd_event_unref(guest->event);
	close(guest->listener);
	closep(&guest->port);
	unlink(guest->path);
	rmdir(guest->directory);
	free(guest);
	return 0;
}

static void run(struct guest *guest)
{
	while (sd_event_run(guest->event, 20000) > 0)
		;
}

/* Takes the connection and the nonce of the host's hello. */
static void guest_open(struct guest *guest)
{
	char data[256];
	const char *at;
	ssize_t n;

	for (int i = 0; i < 500 && guest->port < 0; i++) {
		run(guest);
		guest->port = accept(guest->listener, NULL, NULL);
	}
	assert_true(guest->port >= 0);
	n = recv(guest->port, data, sizeof(data) - 1, 0);
	assert_true(n > 0);
	data[n] = '\0';
	at = strstr(data, "\"nonce\":\"");
	assert_non_null(at);
	memcpy(guest->nonce, at + 9, AGENT_NONCE_SIZE - 1);
}

static void guest_say(struct guest *guest, const char *text)
{
	assert_int_equal(send(guest->port, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	run(guest);
}

static void guest_hello(struct guest *guest, const char *nonce)
{
	char line[256];

	snprintf(line, sizeof(line), "{\"type\":\"hello\",\"version\":1,\"nonce\":\"%s\",\"ready\":false}\n", nonce);
	guest_say(guest, line);
}

static void only_an_answer_to_this_connections_nonce_counts(void **state)
{
	struct guest *guest = *state;

	guest_open(guest);
	guest_hello(guest, "00000000000000000000000000000000");
	guest_say(guest, "{\"type\":\"ready\"}\n");
	assert_int_equal(guest->hellos, 0);
	assert_int_equal(guest->readies, 0);
	guest_hello(guest, guest->nonce);
	guest_say(guest, "{\"type\":\"ready\"}\n");
	assert_int_equal(guest->hellos, 1);
	assert_int_equal(guest->readies, 1);
}

static void each_connection_has_a_nonce_of_its_own(void **state)
{
	struct guest *guest = *state;
	char first[AGENT_NONCE_SIZE];

	guest_open(guest);
	memcpy(first, guest->nonce, sizeof(first));
	close(guest->port);
	guest->port = -1;
	guest_open(guest);
	assert_string_not_equal(first, guest->nonce);
}

static void garbage_is_passed_over_and_a_line_without_end_ends_the_connection(void **state)
{
	static char flood[70000];
	struct guest *guest = *state;
	char byte;

	guest_open(guest);
	guest_say(guest, "garbage\n{\"type\":\n\xff\xfe\n");
	guest_hello(guest, guest->nonce);
	assert_int_equal(guest->hellos, 1);
	memset(flood, 'x', sizeof(flood));
	assert_int_equal(send(guest->port, flood, sizeof(flood), MSG_NOSIGNAL), sizeof(flood));
	for (int i = 0; i < 20; i++)
		run(guest);
	assert_true(recv(guest->port, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET);
}

static void a_guest_that_floods_is_read_slowly(void **state)
{
	static const char line[] = "{\"type\":\"ready\"}\n";
	static char flood[1000 * (sizeof(line) - 1)];
	struct guest *guest = *state;
	unsigned at_once;

	guest_open(guest);
	guest_hello(guest, guest->nonce);
	for (int i = 0; i < 1000; i++)
		memcpy(flood + i * (sizeof(line) - 1), line, sizeof(line) - 1);
	assert_int_equal(send(guest->port, flood, sizeof(flood), MSG_NOSIGNAL), sizeof(flood));
	while (sd_event_run(guest->event, 0) > 0)
		;
	at_once = guest->readies;
	/* One read of the limit's own second may go over it. */
	assert_in_range(at_once, 1, 100 + 8192 / (sizeof(line) - 1) + 1);
	while (guest->readies == at_once)
		run(guest);
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
	    with_guest(only_an_answer_to_this_connections_nonce_counts),
	    with_guest(each_connection_has_a_nonce_of_its_own),
	    with_guest(garbage_is_passed_over_and_a_line_without_end_ends_the_connection),
	    with_guest(a_guest_that_floods_is_read_slowly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
