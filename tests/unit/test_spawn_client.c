/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The client of hotdesk-spawn against a socket that the test answers by hand, on one event loop. */
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/packet.h"
#include "common/spawn_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define STEP_USEC 100000
#define STEPS 100
#define TIMEOUT_SECONDS 10

/* Seconds by which the client's clock is ahead of the kernel's: the linker puts the test's clock_gettime into it, so
 * that ten of them pass at once. The event loop's own timers keep the kernel's time. */
static time_t clock_ahead;

int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);

int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
	int r = __real_clock_gettime(id, ret);

	ret->tv_sec += clock_ahead;
	return r;
}

struct fixture {
	char directory[64], path[80];
	int listener, peer;
	sd_event *event;
	struct spawn_client *client;
};

struct answer {
	unsigned count;
	int r, pid;
	bool pidfd;
	struct error err;
};

static void listen_again(struct fixture *fixture)
{
	fixture->listener = packet_listen(fixture->path, 0600);
	assert_true(fixture->listener >= 0);
	fd_set_nonblock(fixture->listener, 0);
}

static void hang_up(struct fixture *fixture)
{
	closep(&fixture->peer);
	closep(&fixture->listener);
	fixture->peer = fixture->listener = -1;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	clock_ahead = 0;
	strcpy(fixture->directory, "/tmp/hotdesk-client-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof(fixture->path), "%s/spawn.sock", fixture->directory);
	fixture->peer = -1;
	listen_again(fixture);
	assert_true(sd_event_new(&fixture->event) >= 0);
	assert_int_equal(spawn_client_new(fixture->event, fixture->path, &fixture->client), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	spawn_client_free(fixture->client);
	sd_event_unref(fixture->event);
	hang_up(fixture);
	fs_remove_tree(fixture->directory);
	free(fixture);
	return 0;
}

static void on_done(int r, const struct spawn_reply *reply, int pidfd, const struct error *err, void *userdata)
{
	struct answer *answer = userdata;

	answer->count++;
	answer->r = r;
	answer->pid = reply ? reply->pid : 0;
	answer->pidfd = pidfd >= 0;
	answer->err = *err;
	closep(&pidfd);
}

static bool readable(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	return poll(&wait, 1, 0) == 1;
}

#define run_until(fixture, condition)                                                                                  \
	do {                                                                                                           \
		for (int step_ = 0; !(condition); step_++) {                                                           \
			assert_true(step_ < STEPS);                                                                    \
			assert_true(sd_event_run((fixture)->event, STEP_USEC) >= 0);                                   \
		}                                                                                                      \
	} while (0)

static void run_steps(struct fixture *fixture, int steps)
{
	for (int i = 0; i < steps; i++)
		assert_true(sd_event_run(fixture->event, STEP_USEC) >= 0);
}

/* The next request; its fds are closed, their number is checked. */
static struct spawn_request take(struct fixture *fixture, size_t n_wanted)
{
	struct spawn_request request;
	int fds[SPAWN_FDS_MAX];
	size_t n = 0;

	if (fixture->peer < 0) {
		run_until(fixture, readable(fixture->listener));
		fixture->peer = accept4(fixture->listener, NULL, NULL, SOCK_CLOEXEC);
	}
	run_until(fixture, readable(fixture->peer));
	assert_int_equal(packet_recv(fixture->peer, &request, sizeof(request), fds, SPAWN_FDS_MAX, &n), 1);
	assert_int_equal(n, n_wanted);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	return request;
}

static void reply(struct fixture *fixture, int32_t result, int32_t pid)
{
	struct spawn_reply message = {.version = SPAWN_API_VERSION, .result = result, .pid = pid, .text = "the reason"};
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(packet_send(fixture->peer, &message, sizeof(message), &fd, result == 0), 0);
	close(fd);
}

/* An answer with one end of a pipe for its pidfd. Returns the other end, which tells when the last copy is closed; the
 * answer itself may come too late for anybody to take it. */
static int reply_with_pipe(struct fixture *fixture)
{
	struct spawn_reply message = {.version = SPAWN_API_VERSION};
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	(void)packet_send(fixture->peer, &message, sizeof(message), &ends[1], 1);
	close(ends[1]);
	return ends[0];
}

/* End of file on a pipe that nobody writes to. */
static void assert_closed(struct fixture *fixture, int fd)
{
	run_until(fixture, readable(fd));
	close(fd);
}

static int start(struct fixture *fixture, uint32_t slot, struct answer *answer)
{
	const char *argv[] = {"--id", "", "a b", NULL};
	int fds[] = {0, 1};

	return spawn_client_start(fixture->client, SPAWN_DISPLAY, slot, "tag", argv, fds, 2, 1, on_done, answer);
}

static void test_start_carries_words_and_fds(void **state)
{
	struct fixture *fixture = *state;
	struct answer answer = {0};
	struct spawn_request request;

	assert_int_equal(start(fixture, 9, &answer), 0);
	request = take(fixture, 2);
	assert_int_equal(request.version, SPAWN_API_VERSION);
	assert_int_equal(request.op, SPAWN_START);
	assert_int_equal(request.kind, SPAWN_DISPLAY);
	assert_int_equal(request.slot, 9);
	assert_int_equal(request.n_fds, 2);
	assert_int_equal(request.stderr_index, 1);
	assert_string_equal(request.tag, "tag");
	assert_int_equal(request.args_size, 10);
	assert_memory_equal(request.args, "--id\0\0a b", 10);
	reply(fixture, 0, 1234);
	run_until(fixture, answer.count);
	assert_int_equal(answer.r, 0);
	assert_int_equal(answer.pid, 1234);
	assert_true(answer.pidfd);
}

static void test_replies_go_to_their_requests_in_order(void **state)
{
	struct fixture *fixture = *state;
	struct answer first = {0}, second = {0}, third = {0};

	assert_int_equal(spawn_client_get(fixture->client, SPAWN_QEMU, 1, on_done, &first), 0);
	assert_int_equal(spawn_client_signal(fixture->client, SPAWN_QEMU, 2, 9, NULL, NULL), 0);
	assert_int_equal(spawn_client_status(fixture->client, on_done, &second), 0);
	assert_int_equal(spawn_client_get(fixture->client, SPAWN_QEMU, 3, on_done, &third), 0);
	assert_int_equal(take(fixture, 0).slot, 1);
	assert_int_equal(take(fixture, 0).signal, 9);
	assert_int_equal(take(fixture, 0).op, SPAWN_STATUS);
	assert_int_equal(take(fixture, 0).slot, 3);
	reply(fixture, 0, 11);
	reply(fixture, 0, 0);
	reply(fixture, 0, 13);
	reply(fixture, -ESRCH, 0);
	run_until(fixture, third.count);
	assert_int_equal(first.pid, 11);
	assert_int_equal(second.pid, 13);
	assert_int_equal(third.r, -ESRCH);
	assert_string_equal(third.err.text, "the reason");
}

static void test_questions_are_asked_again_after_a_restart(void **state)
{
	struct fixture *fixture = *state;
	struct answer answer = {0};

	assert_int_equal(spawn_client_get(fixture->client, SPAWN_QEMU, 5, on_done, &answer), 0);
	assert_int_equal(take(fixture, 0).slot, 5);
	hang_up(fixture);
	run_steps(fixture, 3);
	assert_int_equal(answer.count, 0);
	listen_again(fixture);
	assert_int_equal(take(fixture, 0).slot, 5);
	reply(fixture, 0, 55);
	run_until(fixture, answer.count);
	assert_int_equal(answer.pid, 55);
}

/* It may have happened: done twice, one desktop would have two programs. */
static void test_start_is_not_repeated_after_a_restart(void **state)
{
	struct fixture *fixture = *state;
	struct answer sent = {0}, after = {0};

	assert_int_equal(start(fixture, 1, &sent), 0);
	assert_int_equal(take(fixture, 2).slot, 1);
	hang_up(fixture);
	run_until(fixture, sent.count);
	assert_int_equal(sent.r, -ECONNRESET);
	/* One that was never sent is: nobody was there. */
	assert_int_equal(start(fixture, 2, &after), 0);
	run_steps(fixture, 3);
	listen_again(fixture);
	assert_int_equal(take(fixture, 2).slot, 2);
	reply(fixture, 0, 22);
	run_until(fixture, after.count);
	assert_int_equal(after.pid, 22);
	assert_int_equal(sent.count, 1);
}

static void test_forgotten_request_is_not_answered(void **state)
{
	struct fixture *fixture = *state;
	struct answer gone = {0}, kept = {0};

	assert_int_equal(spawn_client_get(fixture->client, SPAWN_QEMU, 1, on_done, &gone), 0);
	assert_int_equal(spawn_client_get(fixture->client, SPAWN_QEMU, 2, on_done, &kept), 0);
	spawn_client_forget(fixture->client, &gone);
	take(fixture, 0);
	take(fixture, 0);
	reply(fixture, 0, 1);
	reply(fixture, 0, 2);
	run_until(fixture, kept.count);
	assert_int_equal(kept.pid, 2);
	assert_int_equal(gone.count, 0);
}

static void test_unasked_reply_ends_the_connection(void **state)
{
	struct fixture *fixture = *state;
	struct answer answer = {0};

	assert_int_equal(spawn_client_status(fixture->client, on_done, &answer), 0);
	take(fixture, 0);
	reply(fixture, 0, 1);
	reply(fixture, 0, 2);
	run_until(fixture, answer.count && readable(fixture->peer));
	close(fixture->peer);
	fixture->peer = -1;
	answer.count = 0;
	assert_int_equal(spawn_client_status(fixture->client, on_done, &answer), 0);
	take(fixture, 0);
	reply(fixture, 0, 3);
	run_until(fixture, answer.count);
	assert_int_equal(answer.pid, 3);
}

static void test_too_long_is_refused_at_once(void **state)
{
	struct fixture *fixture = *state;
	static char word[SPAWN_ARGS_MAX + 1], tag[SPAWN_TAG_MAX + 1];
	const char *argv[] = {word, NULL}, *none[] = {NULL};
	int fds[SPAWN_FDS_MAX + 1] = {0};

	memset(word, 'x', SPAWN_ARGS_MAX);
	memset(tag, 'x', SPAWN_TAG_MAX);
	assert_int_equal(spawn_client_start(fixture->client, SPAWN_QEMU, 0, "", argv, NULL, 0, -1, on_done, NULL),
			 -E2BIG);
	assert_int_equal(
	    spawn_client_start(fixture->client, SPAWN_QEMU, 0, "", none, fds, SPAWN_FDS_MAX + 1, -1, on_done, NULL),
	    -E2BIG);
	assert_true(spawn_client_start(fixture->client, SPAWN_QEMU, 0, tag, none, NULL, 0, -1, on_done, NULL) < 0);
}

static void test_silent_spawn_is_given_up_after_its_time(void **state)
{
	struct fixture *fixture = *state;
	struct answer late = {0}, behind = {0};

	assert_int_equal(start(fixture, 1, &late), 0);
	assert_int_equal(take(fixture, 2).slot, 1);
	clock_ahead = TIMEOUT_SECONDS / 2;
	assert_int_equal(spawn_client_get(fixture->client, SPAWN_QEMU, 2, on_done, &behind), 0);
	assert_int_equal(take(fixture, 0).slot, 2);
	assert_int_equal(late.count, 0);
	clock_ahead = TIMEOUT_SECONDS;
	run_until(fixture, late.count);
	assert_int_equal(late.r, -ETIMEDOUT);
	assert_false(late.pidfd);
	assert_non_null(strstr(late.err.text, "did not answer within 10 s"));
	/* Its reply cannot be taken for the next one's: that question is asked again on another connection. */
	assert_closed(fixture, reply_with_pipe(fixture));
	close(fixture->peer);
	fixture->peer = -1;
	assert_int_equal(take(fixture, 0).slot, 2);
	assert_int_equal(behind.count, 0);
	reply(fixture, 0, 22);
	run_until(fixture, behind.count);
	assert_int_equal(behind.pid, 22);
	assert_int_equal(late.count, 1);
}

static void test_spawn_that_is_not_there_is_given_up_after_its_time(void **state)
{
	struct fixture *fixture = *state;
	struct answer answer = {0};

	hang_up(fixture);
	assert_int_equal(spawn_client_status(fixture->client, on_done, &answer), 0);
	run_steps(fixture, 3);
	assert_int_equal(answer.count, 0);
	clock_ahead = TIMEOUT_SECONDS;
	run_until(fixture, answer.count);
	assert_int_equal(answer.r, -ETIMEDOUT);
	run_steps(fixture, 3);
	assert_int_equal(answer.count, 1);
}

/* Whichever the loop sees first, the reply or the end of its time: there is one answer, and no fd is left. */
static void test_reply_at_the_last_moment_leaks_no_fd(void **state)
{
	struct fixture *fixture = *state;
	struct answer answer = {0};
	int end;

	assert_int_equal(spawn_client_get(fixture->client, SPAWN_QEMU, 1, on_done, &answer), 0);
	take(fixture, 0);
	end = reply_with_pipe(fixture);
	clock_ahead = TIMEOUT_SECONDS;
	assert_closed(fixture, end);
	run_until(fixture, answer.count);
	run_steps(fixture, 3);
	assert_int_equal(answer.count, 1);
	assert_true(answer.r == -ETIMEDOUT || answer.pidfd);
}

static void test_fds_that_nobody_wants_are_closed(void **state)
{
	struct fixture *fixture = *state;
	struct answer gone = {0};

	assert_int_equal(spawn_client_get(fixture->client, SPAWN_QEMU, 1, on_done, &gone), 0);
	take(fixture, 0);
	spawn_client_forget(fixture->client, &gone);
	assert_closed(fixture, reply_with_pipe(fixture));
	assert_closed(fixture, reply_with_pipe(fixture)); /* and one that nobody asked for */
	assert_int_equal(gone.count, 0);
}

#define CLIENT_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CLIENT_TEST(test_start_carries_words_and_fds),
	    CLIENT_TEST(test_replies_go_to_their_requests_in_order),
	    CLIENT_TEST(test_questions_are_asked_again_after_a_restart),
	    CLIENT_TEST(test_start_is_not_repeated_after_a_restart),
	    CLIENT_TEST(test_forgotten_request_is_not_answered),
	    CLIENT_TEST(test_unasked_reply_ends_the_connection),
	    CLIENT_TEST(test_too_long_is_refused_at_once),
	    CLIENT_TEST(test_silent_spawn_is_given_up_after_its_time),
	    CLIENT_TEST(test_spawn_that_is_not_there_is_given_up_after_its_time),
	    CLIENT_TEST(test_reply_at_the_last_moment_leaks_no_fd),
	    CLIENT_TEST(test_fds_that_nobody_wants_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
