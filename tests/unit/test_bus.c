/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two ends of D-Bus peers on one event loop. */
#include "common/bus.h"
#include "common/cleanup.h"
#include "common/fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#define PATH "/org/hotdesk/Test1"
#define INTERFACE "org.hotdesk.Test1"
#define STEP_USEC 100000
#define STEPS 100

struct fixture {
	sd_event *event;
	struct bus_server *server;
	char directory[64], path[80];
	sd_bus *caller;
	bool refuse;
	unsigned connected, gone;
	uid_t uid;
};

struct answer {
	bool there;
	int r;
	struct error err;
};

static int method_hello(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	(void)userdata;
	(void)error;
	return bus_method_hello(call, 3);
}

static int method_fail(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct error err = {0};

	(void)userdata;
	(void)error;
	error_set(&err, -ENOSPC, "the disk is full: delete images (%d%%)", 100);
	return bus_reply_with_error(call, &err);
}

/* The caller goes away while its call is served. */
static int method_drop(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct fixture *fixture = userdata;

	(void)error;
	fixture->caller = sd_bus_close_unref(fixture->caller);
	return sd_bus_reply_method_return(call, "");
}

static int method_pass(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	int fd;

	(void)userdata;
	(void)error;
	if (sd_bus_message_read(call, "h", &fd) < 0 || write(fd, "seen", 4) != 4)
		return -EINVAL;
	return sd_bus_reply_method_return(call, "");
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Hello", "u", "u", method_hello, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Fail", "", "", method_fail, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Drop", "", "", method_drop, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Pass", "h", "", method_pass, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL("Changed", "u", 0),
    SD_BUS_VTABLE_END,
};

static int add_vtable(sd_bus *bus, void *userdata)
{
	return sd_bus_add_object_vtable(bus, NULL, PATH, INTERFACE, vtable, userdata);
}

static int on_connected(sd_bus *bus, uid_t uid, void *userdata)
{
	struct fixture *fixture = userdata;

	fixture->uid = uid;
	if (fixture->refuse)
		return -EPERM;
	fixture->connected++;
	return add_vtable(bus, fixture);
}

static void on_gone(sd_bus *bus, void *userdata)
{
	struct fixture *fixture = userdata;

	(void)bus;
	fixture->gone++;
}

static const struct bus_server_ops server_ops = {.connected = on_connected, .gone = on_gone};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int fd;

	strcpy(fixture->directory, "/tmp/hotdesk-bus-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof(fixture->path), "%s/sock", fixture->directory);
	assert_true(sd_event_new(&fixture->event) >= 0);
	fd = bus_listen(fixture->path, 0600);
	assert_true(fd >= 0);
	assert_int_equal(bus_server_new(fixture->event, fd, &server_ops, fixture, &fixture->server), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	bus_server_free(fixture->server);
	sd_event_unref(fixture->event);
	fs_remove_tree(fixture->directory);
	free(fixture);
	return 0;
}

#define run_until(fixture, condition)                                                                                  \
	do {                                                                                                           \
		for (int step_ = 0; !(condition); step_++) {                                                           \
			assert_true(step_ < STEPS);                                                                    \
			assert_true(sd_event_run((fixture)->event, STEP_USEC) >= 0);                                   \
		}                                                                                                      \
	} while (0)

static void on_hello(int r, const struct error *err, void *userdata)
{
	struct answer *answer = userdata;

	answer->there = true;
	answer->r = r;
	answer->err = *err;
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct answer *answer = userdata;

	(void)error;
	answer->there = true;
	if (sd_bus_message_is_method_error(reply, NULL))
		answer->r = bus_reply_error(reply, &answer->err);
	return 0;
}

static int on_changed(sd_bus_message *signal, void *userdata, sd_bus_error *error)
{
	uint32_t value;

	(void)error;
	if (sd_bus_message_read(signal, "u", &value) >= 0)
		*(unsigned *)userdata += value;
	return 0;
}

static sd_bus *connect_peer(struct fixture *fixture)
{
	sd_bus *bus = NULL;

	assert_int_equal(bus_connect(fixture->event, fixture->path, &bus), 0);
	return bus;
}

static struct answer hello(struct fixture *fixture, sd_bus *bus, uint32_t version)
{
	struct answer answer = {0};

	assert_int_equal(bus_hello(bus, PATH, INTERFACE, version, on_hello, &answer), 0);
	run_until(fixture, answer.there);
	return answer;
}

static struct answer call(struct fixture *fixture, sd_bus *bus, const char *method)
{
	struct answer answer = {0};

	assert_true(sd_bus_call_method_async(bus, NULL, NULL, PATH, INTERFACE, method, on_reply, &answer, "") >= 0);
	run_until(fixture, answer.there);
	return answer;
}

static void test_hello_agrees_on_the_version(void **state)
{
	struct fixture *fixture = *state;
	sd_bus *bus = connect_peer(fixture);
	struct answer answer = hello(fixture, bus, 3);

	assert_int_equal(answer.r, 0);
	assert_int_equal(fixture->uid, getuid());
	answer = hello(fixture, bus, 4);
	assert_int_equal(answer.r, -EPROTO);
	assert_non_null(strstr(answer.err.text, "version 3 at the peer and 4 here"));
	sd_bus_close_unref(bus);
	run_until(fixture, fixture->gone == 1);
}

static void test_error_keeps_its_number_and_text(void **state)
{
	struct fixture *fixture = *state;
	sd_bus *bus = connect_peer(fixture);
	struct answer answer = call(fixture, bus, "Fail");

	assert_int_equal(answer.r, -ENOSPC);
	assert_string_equal(answer.err.text, "the disk is full: delete images (100%)");
	answer = call(fixture, bus, "NoSuchMethod");
	assert_true(answer.r < 0);
	assert_true(answer.err.text[0] != '\0');
	sd_bus_close_unref(bus);
}

static void test_refused_peer_is_told_by_the_end(void **state)
{
	struct fixture *fixture = *state;
	struct answer answer;
	sd_bus *bus;

	fixture->refuse = true;
	bus = connect_peer(fixture);
	answer = hello(fixture, bus, 3);
	assert_true(answer.r < 0);
	assert_int_equal(fixture->connected, 0);
	assert_int_equal(fixture->gone, 0);
	sd_bus_close_unref(bus);
	fixture->refuse = false;
	bus = connect_peer(fixture);
	assert_int_equal(hello(fixture, bus, 3).r, 0);
	sd_bus_close_unref(bus);
}

static void test_peer_may_go_while_it_is_served(void **state)
{
	struct fixture *fixture = *state;
	sd_bus *other = connect_peer(fixture);

	fixture->caller = connect_peer(fixture);
	assert_int_equal(hello(fixture, other, 3).r, 0);
	assert_int_equal(hello(fixture, fixture->caller, 3).r, 0);
	assert_true(sd_bus_call_method_async(fixture->caller, NULL, NULL, PATH, INTERFACE, "Drop", NULL, NULL, "") >=
		    0);
	run_until(fixture, fixture->gone == 1);
	assert_null(fixture->caller);
	assert_int_equal(hello(fixture, other, 3).r, 0);
	sd_bus_close_unref(other);
	run_until(fixture, fixture->gone == 2);
}

/* A client's usual way: the disconnect handler drops the bus that it was called by. */
struct self_dropping {
	sd_bus *bus;
	sd_bus_slot *slot;
};

static int drop_self(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct self_dropping *self = userdata;

	(void)message;
	(void)error;
	self->slot = sd_bus_slot_unref(self->slot);
	self->bus = sd_bus_close_unref(self->bus);
	return 0;
}

static void test_client_may_drop_itself_when_the_server_ends(void **state)
{
	struct fixture *fixture = *state;
	struct self_dropping self = {.bus = connect_peer(fixture)};

	assert_true(bus_on_disconnect(self.bus, drop_self, &self, &self.slot) >= 0);
	assert_int_equal(hello(fixture, self.bus, 3).r, 0);
	bus_server_free(fixture->server);
	fixture->server = NULL;
	assert_int_equal(fixture->gone, 1);
	run_until(fixture, self.bus == NULL);
}

static void test_unanswered_hello_ends_with_the_connection(void **state)
{
	struct fixture *fixture = *state;
	struct answer answer = {0};
	sd_bus *bus = NULL;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(bus_client_fd(fixture->event, pair[0], &bus), 0);
	assert_int_equal(bus_hello(bus, PATH, INTERFACE, 3, on_hello, &answer), 0);
	close(pair[1]);
	run_until(fixture, answer.there);
	assert_true(answer.r < 0);
	sd_bus_close_unref(bus);
}

static void emit_changed(sd_bus *bus, void *userdata)
{
	sd_bus_emit_signal(bus, PATH, INTERFACE, "Changed", "u", *(uint32_t *)userdata);
}

static void test_signal_reaches_every_peer(void **state)
{
	struct fixture *fixture = *state;
	sd_bus *one = connect_peer(fixture), *two = connect_peer(fixture);
	unsigned first = 0, second = 0;
	uint32_t value = 7;

	sd_bus_match_signal(one, NULL, NULL, PATH, INTERFACE, "Changed", on_changed, &first);
	sd_bus_match_signal(two, NULL, NULL, PATH, INTERFACE, "Changed", on_changed, &second);
	assert_int_equal(hello(fixture, one, 3).r, 0);
	assert_int_equal(hello(fixture, two, 3).r, 0);
	bus_server_each(fixture->server, emit_changed, &value);
	run_until(fixture, first == 7 && second == 7);
	sd_bus_close_unref(one);
	sd_bus_close_unref(two);
}

static void test_socketpair_serves_and_passes_fds(void **state)
{
	struct fixture *fixture = *state;
	struct answer answer = {0};
	sd_bus *server = NULL, *client = NULL;
	int pair[2], ends[2];
	char seen[5] = "";

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(bus_serve_fd(fixture->event, pair[0], add_vtable, fixture, &server), 0);
	assert_int_equal(bus_client_fd(fixture->event, pair[1], &client), 0);
	assert_int_equal(hello(fixture, client, 3).r, 0);
	assert_true(sd_bus_call_method_async(client, NULL, NULL, PATH, INTERFACE, "Pass", on_reply, &answer, "h",
					     ends[1]) >= 0);
	run_until(fixture, answer.there);
	assert_int_equal(answer.r, 0);
	assert_int_equal(read(ends[0], seen, 4), 4);
	assert_string_equal(seen, "seen");
	close(ends[0]);
	close(ends[1]);
	sd_bus_close_unref(client);
	sd_bus_close_unref(server);
}

/* Reads what has come to `from` once it is all there, and writes it to `to` in one go; returns how much. */
static ssize_t carry(struct fixture *fixture, int from, int to)
{
	char bytes[4096];
	ssize_t n;

	while (sd_event_run(fixture->event, 0) > 0)
		;
	n = read(from, bytes, sizeof(bytes));
	if (n > 0)
		assert_int_equal(write(to, bytes, (size_t)n), n);
	return n;
}

static void test_first_message_that_comes_with_the_end_of_authentication(void **state)
{
	struct fixture *fixture = *state;
	struct answer answer = {0};
	sd_bus *server = NULL, *client = NULL;
	int near[2], far[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, near), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, far), 0);
	assert_int_equal(bus_serve_fd(fixture->event, near[0], NULL, NULL, &server), 0);
	assert_int_equal(bus_hello(server, PATH, INTERFACE, 3, on_hello, &answer), 0);
	assert_int_equal(bus_client_fd(fixture->event, far[0], &client), 0);
	assert_int_equal(add_vtable(client, fixture), 0);
	assert_true(carry(fixture, far[1], near[1]) > 0);
	assert_true(carry(fixture, near[1], far[1]) > 0);
	assert_true(carry(fixture, far[1], near[1]) > 0);
	run_until(fixture, answer.there);
	assert_int_equal(answer.r, 0);
	sd_bus_close_unref(server);
	sd_bus_close_unref(client);
	close(near[1]);
	close(far[1]);
}

static void test_garbage_ends_only_its_connection(void **state)
{
	struct fixture *fixture = *state;
	sd_bus *bus = connect_peer(fixture), *bad = NULL;
	int pair[2];

	assert_int_equal(hello(fixture, bus, 3).r, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(bus_serve_fd(fixture->event, pair[0], add_vtable, fixture, &bad), 0);
	assert_int_equal(write(pair[1], "GET / HTTP/1.1\r\n\r\n", 18), 18);
	run_until(fixture, sd_bus_is_open(bad) <= 0);
	close(pair[1]);
	sd_bus_close_unref(bad);
	assert_int_equal(hello(fixture, bus, 3).r, 0);
	sd_bus_close_unref(bus);
}

static void test_nobody_listening_is_an_error(void **state)
{
	struct fixture *fixture = *state;
	sd_bus *bus = NULL;
	char path[120];

	snprintf(path, sizeof(path), "%s/none", fixture->directory);
	assert_int_equal(bus_connect(fixture->event, path, &bus), -ENOENT);
	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(bus_connect(fixture->event, path, &bus), -ENAMETOOLONG);
	assert_null(bus);
}

#define BUS_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    BUS_TEST(test_hello_agrees_on_the_version),
	    BUS_TEST(test_error_keeps_its_number_and_text),
	    BUS_TEST(test_refused_peer_is_told_by_the_end),
	    BUS_TEST(test_peer_may_go_while_it_is_served),
	    BUS_TEST(test_client_may_drop_itself_when_the_server_ends),
	    BUS_TEST(test_unanswered_hello_ends_with_the_connection),
	    BUS_TEST(test_signal_reaches_every_peer),
	    BUS_TEST(test_socketpair_serves_and_passes_fds),
	    BUS_TEST(test_first_message_that_comes_with_the_end_of_authentication),
	    BUS_TEST(test_garbage_ends_only_its_connection),
	    BUS_TEST(test_nobody_listening_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
