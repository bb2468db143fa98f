/* SPDX-License-Identifier: GPL-3.0-or-later */
/* D-Bus peers that are limited in fds, against scripted bytes and against sd-bus, on one event loop. */
#include "common/bus.h"
#include "common/bus_intake.h"
#include "common/cleanup.h"
#include "common/packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#define PATH "/org/hotdesk/Test1"
#define INTERFACE "org.hotdesk.Test1"
#define STEP_USEC 100000
#define STEPS 100
#define AUTH "\0AUTH ANONYMOUS 30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n"
#define LIMIT 3
#define LARGE (10u << 20)

struct fixture {
	sd_event *event;
	sd_bus *server; /* limited */
	sd_bus_slot *slot;
	int peer;
	unsigned passed, counted, answered, failed;
	uint32_t sum;
	bool gone;
};

static int method_pass(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct fixture *fixture = userdata;
	int fd;

	(void)error;
	if (sd_bus_message_read(call, "h", &fd) < 0 || fcntl(fd, F_GETFD) < 0)
		return -EINVAL;
	fixture->passed++;
	return sd_bus_reply_method_return(call, "");
}

static int method_count(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct fixture *fixture = userdata;

	(void)error;
	fixture->counted++;
	return sd_bus_reply_method_return(call, "");
}

static uint32_t sum_of(const uint8_t *bytes, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = sum * 31 + bytes[i];
	return sum;
}

static int method_sum(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	const void *bytes;
	size_t size;
	int r = sd_bus_message_read_array(call, 'y', &bytes, &size);

	(void)userdata;
	(void)error;
	return r < 0 ? r : sd_bus_reply_method_return(call, "u", sum_of(bytes, size));
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Pass", "h", "", method_pass, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Count", "", "", method_count, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Sum", "ay", "u", method_sum, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static int on_gone(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct fixture *fixture = userdata;

	(void)message;
	(void)error;
	fixture->gone = true;
	return 0;
}

static int add_vtable(sd_bus *bus, void *userdata)
{
	return sd_bus_add_object_vtable(bus, NULL, PATH, INTERFACE, vtable, userdata);
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int pair[2];

	assert_true(sd_event_new(&fixture->event) >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	fixture->peer = pair[1];
	assert_int_equal(bus_serve_fd_limited(fixture->event, pair[0], LIMIT, add_vtable, fixture, &fixture->server),
			 0);
	assert_true(bus_on_disconnect(fixture->server, on_gone, fixture, &fixture->slot) >= 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	sd_bus_slot_unref(fixture->slot);
	sd_bus_close_unref(fixture->server);
	if (fixture->peer >= 0)
		close(fixture->peer);
	sd_event_unref(fixture->event);
	free(fixture);
	return 0;
}

/* Fails when nothing happens any more. */
#define run_until(fixture, condition)                                                                                  \
	do {                                                                                                           \
		for (int idle_ = 0; !(condition);) {                                                                   \
			int r_ = sd_event_run((fixture)->event, STEP_USEC);                                            \
			assert_true(r_ >= 0);                                                                          \
			idle_ += r_ == 0;                                                                              \
			assert_true(idle_ < STEPS);                                                                    \
		}                                                                                                      \
	} while (0)

/* Runs what is ready, without waiting. */
static void run_ready(struct fixture *fixture)
{
	while (sd_event_run(fixture->event, 0) > 0)
		;
}

static unsigned files_open(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(directory);
	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

/* The peer becomes a sd-bus client. */
static sd_bus *client_of(struct fixture *fixture)
{
	sd_bus *client = NULL;

	assert_int_equal(bus_client_fd(fixture->event, steal_fd(&fixture->peer), &client), 0);
	run_until(fixture, sd_bus_is_ready(client) > 0);
	return client;
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct fixture *fixture = userdata;

	(void)error;
	if (sd_bus_message_is_method_error(reply, NULL))
		fixture->failed++;
	else
		fixture->answered++;
	(void)sd_bus_message_read(reply, "u", &fixture->sum);
	return 0;
}

static void send_pass(struct fixture *fixture, sd_bus *client)
{
	assert_true(sd_bus_call_method_async(client, NULL, NULL, PATH, INTERFACE, "Pass", on_reply, fixture, "h",
					     STDERR_FILENO) >= 0);
}

static void send_count(struct fixture *fixture, sd_bus *client)
{
	assert_true(sd_bus_call_method_async(client, NULL, NULL, PATH, INTERFACE, "Count", on_reply, fixture, "") >= 0);
}

static bool counts(struct fixture *fixture, sd_bus *client)
{
	unsigned before = fixture->answered;

	send_count(fixture, client);
	run_until(fixture, fixture->answered > before || fixture->failed > 0);
	return fixture->failed == 0;
}

static void authenticate(struct fixture *fixture)
{
	char answer[512];
	ssize_t n;

	assert_int_equal(write(fixture->peer, AUTH, sizeof(AUTH) - 1), sizeof(AUTH) - 1);
	run_ready(fixture);
	n = read(fixture->peer, answer, sizeof(answer));
	assert_true(n > 0);
	assert_non_null(memmem(answer, (size_t)n, "AGREE_UNIX_FD\r\n", 15));
}

/* The bytes of a call of Count that wants no answer; body is the size it announces. Returns their number. */
static size_t count_call(uint8_t *at, uint32_t serial, uint32_t body)
{
	static const struct {
		uint8_t code;
		char type;
		const char *text;
	} fields[] = {{1, 'o', PATH}, {2, 's', INTERFACE}, {3, 's', "Count"}};
	uint32_t head[] = {body, serial, 0};
	size_t end = 16;

	for (size_t i = 0; i < 3; i++) {
		uint32_t length = (uint32_t)strlen(fields[i].text);

		for (; end % 8; end++)
			at[end] = 0;
		memcpy(at + end, (uint8_t[]){fields[i].code, 1, (uint8_t)fields[i].type, 0}, 4);
		memcpy(at + end + 4, &length, 4);
		memcpy(at + end + 8, fields[i].text, length + 1);
		end += 8 + length + 1;
	}
	head[2] = (uint32_t)(end - 16);
	memcpy(at, "l\1\1\1", 4);
	memcpy(at + 4, head, sizeof(head));
	for (; end % 8; end++)
		at[end] = 0;
	return end;
}

/* 0, or the errno with which no more could be sent. */
static int send_with_fds(int socket, size_t n)
{
	int fds[PACKET_FDS_MAX];

	for (size_t i = 0; i < n; i++)
		fds[i] = STDERR_FILENO;
	return -packet_send(socket, "", 1, fds, n);
}

static void test_unfinished_message_with_fds_without_end(void **state)
{
	struct fixture *fixture = *state;
	unsigned before, most = 0;
	uint8_t bytes[256];
	int r = 0;

	authenticate(fixture);
	before = files_open();
	assert_true(write(fixture->peer, bytes, count_call(bytes, 1, 100000)) > 0);
	for (unsigned i = 0; i < 100 && r == 0; i++) {
		unsigned now;

		r = send_with_fds(fixture->peer, i < LIMIT ? 1 : PACKET_FDS_MAX);
		run_ready(fixture);
		now = files_open();
		most = now > most ? now : most;
	}
	assert_int_equal(r, EPIPE);
	assert_int_equal(most, before + LIMIT);
	run_until(fixture, fixture->gone);
	assert_int_equal(fixture->counted, 0);
	assert_true(files_open() < before);
}

static void test_no_fd_is_made_where_none_is_taken(void **state)
{
	struct fixture *fixture = *state;
	struct bus_intake *intake;
	char byte;
	int pair[2], input;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(bus_intake_new(fixture->event, pair[0], 0, &intake, &input), 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	run_ready(fixture);
	assert_int_equal(send_with_fds(pair[1], 1), 0);
	run_ready(fixture);
	assert_int_equal(send_with_fds(pair[1], 0), EPIPE);
	assert_int_equal(read(input, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_int_equal(read(input, &byte, 1), 0);
	bus_intake_free(intake);
	close(input);
	close(pair[0]);
	close(pair[1]);
}

static void test_flood_leaves_another_connection_alone(void **state)
{
	struct fixture *fixture = *state;
	struct fixture other = {.event = fixture->event};
	sd_bus *client;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(bus_serve_fd_limited(fixture->event, pair[0], 0, add_vtable, &other, &other.server), 0);
	other.peer = pair[1];
	client = client_of(&other);
	authenticate(fixture);
	assert_int_equal(send_with_fds(fixture->peer, PACKET_FDS_MAX), 0);
	run_until(fixture, fixture->gone);
	assert_true(counts(&other, client));
	sd_bus_close_unref(client);
	sd_bus_close_unref(other.server);
}

/* All are in the socket before the first is read: each fd must come with its own message. */
static void test_fds_up_to_the_limit_reach_their_messages(void **state)
{
	struct fixture *fixture = *state;
	sd_bus *client = client_of(fixture);

	for (unsigned i = 0; i < LIMIT; i++) {
		send_count(fixture, client);
		send_pass(fixture, client);
		send_count(fixture, client);
	}
	run_until(fixture, fixture->answered == 3 * LIMIT);
	assert_int_equal(fixture->passed, LIMIT);
	assert_int_equal(fixture->counted, 2 * LIMIT);
	send_pass(fixture, client);
	run_until(fixture, fixture->gone && fixture->failed == 1);
	assert_int_equal(fixture->passed, LIMIT);
	sd_bus_close_unref(client);
}

static void test_large_message_arrives_intact(void **state)
{
	struct fixture *fixture = *state;
	sd_bus *client = client_of(fixture);
	sd_bus_message *call = NULL;
	uint8_t *bytes = malloc(LARGE);

	assert_non_null(bytes);
	for (uint32_t i = 0; i < LARGE; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 24);
	assert_true(sd_bus_message_new_method_call(client, &call, NULL, PATH, INTERFACE, "Sum") >= 0);
	assert_true(sd_bus_message_append_array(call, 'y', bytes, LARGE) >= 0);
	assert_true(sd_bus_call_async(client, NULL, call, on_reply, fixture, 0) >= 0);
	run_until(fixture, fixture->answered + fixture->failed == 1);
	assert_int_equal(fixture->failed, 0);
	assert_int_equal(fixture->sum, sum_of(bytes, LARGE));
	sd_bus_message_unref(call);
	sd_bus_close_unref(client);
	free(bytes);
}

static void test_what_was_sent_before_the_end_is_delivered(void **state)
{
	struct fixture *fixture = *state;
	uint8_t bytes[256];

	authenticate(fixture);
	for (uint32_t i = 1; i <= 200; i++) {
		size_t size = count_call(bytes, i, 0);

		assert_int_equal(write(fixture->peer, bytes, size), size);
	}
	close(steal_fd(&fixture->peer));
	run_until(fixture, fixture->gone);
	assert_int_equal(fixture->counted, 200);
}

static size_t fill(int socket, struct fixture *fixture)
{
	size_t total = 0;
	unsigned full = 0;

	while (full < 2 && total < LARGE) {
		uint8_t bytes[1000];
		ssize_t n;

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)((total + i) % 251);
		n = send(socket, bytes, sizeof(bytes), MSG_NOSIGNAL);
		full = n < 0 ? full + 1 : 0;
		total += n < 0 ? 0 : (size_t)n;
		run_ready(fixture);
	}
	return total;
}

static void test_nothing_is_read_that_is_not_taken(void **state)
{
	struct fixture *fixture = *state;
	struct bus_intake *intake;
	size_t total, seen = 0;
	int pair[2], input;
	ssize_t n = 1;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(bus_intake_new(fixture->event, pair[0], 0, &intake, &input), 0);
	total = fill(pair[1], fixture);
	assert_true(total < LARGE);
	close(pair[1]);
	while (n != 0) {
		uint8_t bytes[4096];

		run_ready(fixture);
		n = read(input, bytes, sizeof(bytes));
		assert_true(n >= 0);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(bytes[i], (seen + (size_t)i) % 251);
		seen += (size_t)n;
	}
	assert_int_equal(seen, total);
	bus_intake_free(intake);
	close(input);
	close(pair[0]);
}

static void test_closing_our_end_is_seen_by_the_peer(void **state)
{
	struct fixture *fixture = *state;
	char byte;

	authenticate(fixture);
	fixture->slot = sd_bus_slot_unref(fixture->slot);
	fixture->server = sd_bus_close_unref(fixture->server);
	assert_int_equal(read(fixture->peer, &byte, 1), 0);
}

static void test_connecting_with_a_limit(void **state)
{
	struct fixture *fixture = *state;
	char directory[] = "/tmp/hotdesk-intake-XXXXXX", path[64];
	sd_bus *client = NULL;
	sd_bus_slot *slot = NULL;
	int listener;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/sock", directory);
	listener = bus_listen(path, 0600);
	assert_true(listener >= 0);
	assert_int_equal(bus_connect_limited(fixture->event, path, 0, &client), 0);
	assert_true(bus_on_disconnect(client, on_gone, fixture, &slot) >= 0);
	close(steal_fd(&fixture->peer));
	run_until(fixture, fixture->gone);
	fixture->gone = false;
	fixture->peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(fixture->peer >= 0);
	assert_int_equal(send_with_fds(fixture->peer, 1), 0);
	run_until(fixture, fixture->gone);
	sd_bus_slot_unref(slot);
	sd_bus_close_unref(client);
	assert_int_equal(bus_connect_limited(fixture->event, path, BUS_INTAKE_FDS_MAX + 1, &client), -EINVAL);
	close(listener);
	unlink(path);
	rmdir(directory);
}

#define INTAKE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    INTAKE_TEST(test_unfinished_message_with_fds_without_end),
	    INTAKE_TEST(test_no_fd_is_made_where_none_is_taken),
	    INTAKE_TEST(test_flood_leaves_another_connection_alone),
	    INTAKE_TEST(test_fds_up_to_the_limit_reach_their_messages),
	    INTAKE_TEST(test_large_message_arrives_intact),
	    INTAKE_TEST(test_what_was_sent_before_the_end_is_delivered),
	    INTAKE_TEST(test_nothing_is_read_that_is_not_taken),
	    INTAKE_TEST(test_closing_our_end_is_seen_by_the_peer),
	    INTAKE_TEST(test_connecting_with_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
