/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/packet.h"
#include "host/line_buffer.h"
#include "host/qmp.h"

#include <sys/socket.h>
#include <unistd.h>

static int parse(const char *line, struct qmp_message *ret)
{
	return qmp_parse(line, strlen(line), ret);
}

static void a_greeting_a_return_an_error_and_events(void **state)
{
	struct qmp_message message;

	(void)state;
	assert_int_equal(parse("{\"QMP\": {\"version\": {}, \"capabilities\": []}}", &message), 0);
	assert_int_equal(message.kind, QMP_GREETING);
	assert_int_equal(parse("{\"return\": {\"status\": \"running\"}, \"id\": 7}", &message), 0);
	assert_int_equal(message.kind, QMP_RETURN);
	assert_int_equal(message.id, 7);
	assert_non_null(message.data);
	qmp_message_clear(&message);
	assert_int_equal(parse("{\"id\": 8, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}", &message), 0);
	assert_int_equal(message.kind, QMP_ERROR);
	assert_string_equal(message.error.text, "QEMU: no");
	assert_int_equal(message.error.code, -EREMOTEIO);
	assert_int_equal(parse("{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": \"x\"}}", &message),
			 0);
	assert_int_equal(message.kind, QMP_EVENT);
	assert_int_equal(message.event.type, QMP_EVENT_SHUTDOWN);
	assert_true(message.event.guest);
	assert_int_equal(
	    parse("{\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"nospace\":true,\"action\":\"stop\"}}", &message), 0);
	assert_int_equal(message.event.type, QMP_EVENT_BLOCK_IO_ERROR);
	assert_true(message.event.nospace && message.event.stopped);
	assert_int_equal(parse("{\"event\":\"SOMETHING_NEW\"}", &message), 0);
	assert_int_equal(message.event.type, QMP_EVENT_OTHER);
}

static void what_is_not_qmp_is_refused(void **state)
{
	static const char *const lines[] = {
	    "",
	    "{",
	    "[]",
	    "7",
	    "{}",
	    "{\"return\"}",
	    "{\"error\": {}}",
	    "{\"error\": 1}",
	    "{\"QMP\": 1}",
	    "{\"return\": {}} x",
	    "{\"event\": 1}",
	    "[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]",
	    "{\"return\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}",
	};
	struct qmp_message message;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(parse(lines[i], &message), -EBADMSG);
}

static void a_command_is_one_line(void **state)
{
	struct json_object *arguments = json_object_new_object();
	_cleanup_free_ char *line = NULL;

	(void)state;
	json_object_object_add(arguments, "fdname", json_object_new_string("a\nb"));
	assert_int_equal(qmp_command("getfd", arguments, 3, &line), 0);
	assert_string_equal(line, "{\"execute\":\"getfd\",\"id\":3,\"arguments\":{\"fdname\":\"a\\nb\"}}\n");
	json_object_put(arguments);
}

struct counted {
	unsigned lines;
	char last[32];
	int result;
};

static int count_line(const char *line, size_t size, void *userdata)
{
	struct counted *counted = userdata;

	counted->lines++;
	snprintf(counted->last, sizeof(counted->last), "%.*s", (int)size, line);
	return counted->result;
}

static void lines_are_cut_wherever_the_bytes_are_split(void **state)
{
	struct line_buffer buffer = {.max = 8};
	struct counted counted = {0};

	(void)state;
	assert_int_equal(line_buffer_feed(&buffer, "on", 2, count_line, &counted), 0);
	assert_int_equal(line_buffer_feed(&buffer, "e\r\n\n\ntwo\nth", 11, count_line, &counted), 0);
	assert_int_equal(counted.lines, 2);
	assert_string_equal(counted.last, "two");
	assert_int_equal(line_buffer_feed(&buffer, "ree456\n", 7, count_line, &counted), 0);
	assert_string_equal(counted.last, "three456");
	assert_int_equal(line_buffer_feed(&buffer, "123456789", 9, count_line, &counted), -EMSGSIZE);
	line_buffer_clear(&buffer);
	counted.result = -EPIPE;
	assert_int_equal(line_buffer_feed(&buffer, "a\nb\n", 4, count_line, &counted), -EPIPE);
	assert_string_equal(counted.last, "a");
	line_buffer_clear(&buffer);
}

/* A QEMU of this test's own at the end of the socket. */
struct fake {
	char directory[32], path[64];
	int listener, peer;
	sd_event *event;
	struct qmp *qmp;
	unsigned connected, events, done;
	int result;
	char text[128];
};

static void on_connected(void *userdata)
{
	((struct fake *)userdata)->connected++;
}

static void on_event(const struct qmp_event *event, void *userdata)
{
	(void)event;
	((struct fake *)userdata)->events++;
}

static void on_done(int r, struct json_object *data, const struct error *err, void *userdata)
{
	struct fake *fake = userdata;

	(void)data;
	fake->done++;
	fake->result = r;
	snprintf(fake->text, sizeof(fake->text), "%.127s", err->text);
}

static int fake_setup(void **state)
{
	static const struct qmp_ops ops = {on_connected, on_event};
	struct fake *fake = calloc(1, sizeof(*fake));

	*state = fake;
	snprintf(fake->directory, sizeof(fake->directory), "/tmp/qmp-XXXXXX");
	if (!mkdtemp(fake->directory))
		return -1;
	snprintf(fake->path, sizeof(fake->path), "%s/qmp.sock", fake->directory);
	fake->peer = -1;
	fake->listener = socket_listen(fake->path, SOCK_STREAM, 4, 0600);
	return fake->listener < 0 || sd_event_default(&fake->event) < 0 ||
		       qmp_new(fake->event, fake->path, &ops, fake, &fake->qmp) < 0
		   ? -1
		   : 0;
}

static int fake_teardown(void **state)
{
	struct fake *fake = *state;

	qmp_free(fake->qmp);
	sd_event_unref(fake->event);
	close(fake->listener);
	closep(&fake->peer);
	unlink(fake->path);
	rmdir(fake->directory);
	free(fake);
	return 0;
}

static void run(struct fake *fake)
{
	while (sd_event_run(fake->event, 20000) > 0)
		;
}

static void fake_accept(struct fake *fake)
{
	for (int i = 0; i < 500 && fake->peer < 0; i++) {
		run(fake);
		fake->peer = accept(fake->listener, NULL, NULL);
	}
	assert_true(fake->peer >= 0);
}

static void fake_say(struct fake *fake, const char *text)
{
	assert_int_equal(send(fake->peer, text, strlen(text), 0), strlen(text));
	run(fake);
}

/* What the client has sent, and whether an fd came with it. */
static bool fake_hears(struct fake *fake, const char *expected)
{
	char data[512];
	struct iovec iov = {data, sizeof(data) - 1};
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr message = {
	    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buffer, .msg_controllen = sizeof(control.buffer)};
	const struct cmsghdr *header;
	ssize_t n;
	int fd;

	run(fake);
	n = recvmsg(fake->peer, &message, MSG_DONTWAIT);
	assert_true(n > 0);
	data[n] = '\0';
	assert_string_equal(data, expected);
	header = CMSG_FIRSTHDR(&message);
	if (!header)
		return false;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	close(fd);
	return true;
}

static void fake_greet(struct fake *fake, int id)
{
	char line[64];

	fake_accept(fake);
	fake_say(fake, "{\"QMP\": {}}\n");
	snprintf(line, sizeof(line), "{\"execute\":\"qmp_capabilities\",\"id\":%d}\n", id);
	assert_false(fake_hears(fake, line));
	snprintf(line, sizeof(line), "{\"return\": {}, \"id\": %d}\n", id);
	fake_say(fake, line);
}

static void commands_wait_for_the_greeting_and_for_each_other(void **state)
{
	struct fake *fake = *state;

	qmp_execute(fake->qmp, "stop", NULL, -1, on_done, fake);
	qmp_execute(fake->qmp, "getfd", NULL, dup(0), on_done, fake);
	fake_greet(fake, 3);
	assert_int_equal(fake->connected, 1);
	assert_false(fake_hears(fake, "{\"execute\":\"stop\",\"id\":1}\n"));
	fake_say(fake, "{\"event\": \"STOP\"}\n{\"return\": {}, \"id\": 1}\n");
	assert_int_equal(fake->events, 1);
	assert_int_equal(fake->done, 1);
	assert_true(fake_hears(fake, "{\"execute\":\"getfd\",\"id\":2}\n"));
	fake_say(fake, "{\"error\": {\"desc\": \"no\"}, \"id\": 2}\n");
	assert_int_equal(fake->result, -EREMOTEIO);
	assert_string_equal(fake->text, "QEMU: no");
}

static void a_lost_connection_fails_what_was_sent_and_keeps_what_was_not(void **state)
{
	struct fake *fake = *state;

	fake_greet(fake, 1);
	qmp_execute(fake->qmp, "one", NULL, -1, on_done, fake);
	qmp_execute(fake->qmp, "two", NULL, -1, on_done, fake);
	assert_false(fake_hears(fake, "{\"execute\":\"one\",\"id\":2}\n"));
	close(fake->peer);
	fake->peer = -1;
	run(fake);
	assert_int_equal(fake->done, 1);
	assert_int_equal(fake->result, -ECONNRESET);
	fake_greet(fake, 4);
	assert_int_equal(fake->connected, 2);
	assert_false(fake_hears(fake, "{\"execute\":\"two\",\"id\":3}\n"));
}

static void garbage_and_strange_answers_end_the_connection(void **state)
{
	static const char *const lines[] = {"garbage\n", "{\"return\": {}, \"id\": 99}\n", "{\"QMP\": {}}\n"};
	struct fake *fake = *state;

	for (int i = 0; i < 3; i++) {
		char byte;

		fake_greet(fake, i + 1);
		fake_say(fake, lines[i]);
		assert_int_equal(recv(fake->peer, &byte, 1, MSG_DONTWAIT), 0);
		close(fake->peer);
		fake->peer = -1;
	}
}

#define with_fake(test) cmocka_unit_test_setup_teardown(test, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_greeting_a_return_an_error_and_events),
	    cmocka_unit_test(what_is_not_qmp_is_refused),
	    cmocka_unit_test(a_command_is_one_line),
	    cmocka_unit_test(lines_are_cut_wherever_the_bytes_are_split),
	    with_fake(commands_wait_for_the_greeting_and_for_each_other),
	    with_fake(a_lost_connection_fails_what_was_sent_and_keeps_what_was_not),
	    with_fake(garbage_and_strange_answers_end_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
