/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The client of hotdesk-auth against an auth that answers late, says nonsense, dies or says nothing. */
#include "auth/auth_client.h"
#include "common/bus.h"
#include "common/cleanup.h"
#include "common/fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#define STEP_USEC 100000
#define STEPS 200
#define ATTEMPT_USEC (60 * UINT64_C(1000000))

struct fixture {
	sd_event *event;
	struct auth_client *client;
	struct bus_server *server;
	char directory[64], path[80];
	int listen_fd; /* until somebody serves it */
	uint32_t version;
	bool dies; /* the connection ends while an attempt runs */
	unsigned attempts;
};

struct answer {
	unsigned n;
	enum auth_result result;
	char name[16];
};

static int method_hello(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct fixture *fixture = userdata;

	(void)error;
	return bus_method_hello(call, fixture->version);
}

static int method_authenticate(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
	struct fixture *fixture = userdata;
	const char *name, *peer;
	char password[8] = "";
	int fd;

	(void)error;
	fixture->attempts++;
	assert_true(sd_bus_message_read(call, "shs", &name, &fd, &peer) > 0);
	assert_int_equal(pread(fd, password, sizeof(password), 0), 6);
	assert_string_equal(password, "secret");
	if (fixture->dies) {
		sd_bus_close(sd_bus_message_get_bus(call));
		return 0;
	}
	return sd_bus_reply_method_return(call, "ussuuass", AUTH_OK, "", name, 1000, 1000, 1, "people", "");
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Hello", "u", "u", method_hello, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Authenticate", "shs", "ussuuass", method_authenticate, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

static int on_connected(sd_bus *bus, uid_t uid, void *userdata)
{
	(void)uid;
	return sd_bus_add_object_vtable(bus, NULL, AUTH_API_PATH, AUTH_API_INTERFACE, vtable, userdata);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/auth-client.XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof(fixture->path), "%s/auth.sock", fixture->directory);
	fixture->version = AUTH_API_VERSION;
	fixture->listen_fd = bus_listen(fixture->path, 0600);
	assert_true(fixture->listen_fd >= 0);
	assert_true(sd_event_new(&fixture->event) >= 0);
	assert_int_equal(auth_client_new(fixture->event, fixture->path, &fixture->client), 0);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	auth_client_free(fixture->client);
	bus_server_free(fixture->server);
	sd_event_unref(fixture->event);
	closep(&fixture->listen_fd);
	unlink(fixture->path);
	rmdir(fixture->directory);
	free(fixture);
	return 0;
}

static void serve(struct fixture *fixture)
{
	static const struct bus_server_ops ops = {on_connected, NULL};

	assert_int_equal(bus_server_new(fixture->event, steal_fd(&fixture->listen_fd), &ops, fixture, &fixture->server),
			 0);
}

static void on_done(enum auth_result result, const struct identity *identity, const char *text, void *userdata)
{
	struct answer *answer = userdata;

	answer->n++;
	answer->result = result;
	assert_true(result == AUTH_OK || strlen(text) > 0);
	if (identity)
		snprintf(answer->name, sizeof(answer->name), "%s", identity->name);
}

static void ask(struct fixture *fixture, const char *name, struct answer *answer)
{
	_cleanup_close_ int password = memfd_create("password", MFD_CLOEXEC);

	assert_int_equal(write(password, "secret", 6), 6);
	assert_int_equal(
	    auth_client_authenticate(fixture->client, name, password, "192.0.2.1", ATTEMPT_USEC, on_done, answer), 0);
}

static void await_answer(struct fixture *fixture, const struct answer *answer)
{
	for (int i = 0; i < STEPS && answer->n == 0; i++)
		assert_true(sd_event_run(fixture->event, STEP_USEC) >= 0);
	assert_int_equal(answer->n, 1);
}

static void attempts_wait_for_an_auth_that_comes_late(void **state)
{
	struct fixture *fixture = *state;
	struct answer answers[2] = {{0}, {0}};

	ask(fixture, "alice", &answers[0]);
	ask(fixture, "bob", &answers[1]);
	serve(fixture);
	await_answer(fixture, &answers[0]);
	await_answer(fixture, &answers[1]);
	assert_int_equal(answers[0].result, AUTH_OK);
	assert_string_equal(answers[0].name, "alice");
	assert_string_equal(answers[1].name, "bob");
}

static int count_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	unsigned *ticks = userdata;

	(void)usec;
	++*ticks;
	sd_event_source_set_time_relative(source, STEP_USEC);
	return 0;
}

/* The password's fd must not make sd-bus wait for the peer: the loop's other work goes on. */
static void silent_auth_stops_neither_the_loop_nor_the_login_for_long(void **state)
{
	struct fixture *fixture = *state;
	struct answer answer = {0};
	sd_event_source *timer;
	unsigned ticks = 0;

	assert_true(
	    sd_event_add_time_relative(fixture->event, &timer, CLOCK_MONOTONIC, STEP_USEC, 0, count_tick, &ticks) >= 0);
	sd_event_source_set_enabled(timer, SD_EVENT_ON);
	ask(fixture, "alice", &answer);
	await_answer(fixture, &answer);
	sd_event_source_disable_unref(timer);
	assert_int_equal(answer.result, AUTH_BUSY);
	assert_true(ticks > 0);
}

static void auth_that_is_not_there_is_said_from_the_loop(void **state)
{
	struct fixture *fixture = *state;
	struct answer answer = {0};

	closep(&fixture->listen_fd);
	fixture->listen_fd = -1;
	ask(fixture, "alice", &answer);
	assert_int_equal(answer.n, 0);
	await_answer(fixture, &answer);
	assert_int_equal(answer.result, AUTH_BUSY);
}

static void auth_of_another_release_gets_no_password(void **state)
{
	struct fixture *fixture = *state;
	struct answer answer = {0};

	fixture->version = AUTH_API_VERSION + 1;
	serve(fixture);
	ask(fixture, "alice", &answer);
	await_answer(fixture, &answer);
	assert_int_equal(answer.result, AUTH_BUSY);
	assert_int_equal(fixture->attempts, 0);
}

static void auth_that_dies_costs_one_attempt(void **state)
{
	struct fixture *fixture = *state;
	struct answer answers[2] = {{0}, {0}};

	serve(fixture);
	fixture->dies = true;
	ask(fixture, "alice", &answers[0]);
	await_answer(fixture, &answers[0]);
	assert_int_equal(answers[0].result, AUTH_BUSY);
	fixture->dies = false;
	ask(fixture, "bob", &answers[1]);
	await_answer(fixture, &answers[1]);
	assert_int_equal(answers[1].result, AUTH_OK);
}

static void cancelled_attempt_is_never_sent(void **state)
{
	struct fixture *fixture = *state;
	struct answer answers[2] = {{0}, {0}};

	ask(fixture, "alice", &answers[0]);
	ask(fixture, "bob", &answers[1]);
	auth_client_cancel(fixture->client, &answers[0]);
	serve(fixture);
	await_answer(fixture, &answers[1]);
	assert_int_equal(answers[0].n, 0);
	assert_int_equal(fixture->attempts, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(attempts_wait_for_an_auth_that_comes_late, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(silent_auth_stops_neither_the_loop_nor_the_login_for_long, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(auth_that_is_not_there_is_said_from_the_loop, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(auth_of_another_release_gets_no_password, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(auth_that_dies_costs_one_attempt, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(cancelled_attempt_is_never_sent, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
