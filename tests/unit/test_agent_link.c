/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The root part against a pseudo terminal in the port's place and session parts on its socket. */
#include "common/cleanup.h"
#include "guest-agent/link.h"
#include "guest-agent/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>

#include <cmocka.h>

#define STEPS_MAX 500
#define STEP_MS 20

struct setup {
	struct loop *loop;
	struct watch *step;
	struct host_link *link;
	struct sessions *sessions;
	char directory[64], socket[96], port[64];
	int host; /* the pty's master */
	char text[8192];
	size_t used;
	const char *wanted;
	int steps;
	bool found;
};

static void on_sessions(bool up, void *userdata)
{
	struct setup *s = userdata;

	link_set_ready(s->link, up);
}

static int set_up(void **state)
{
	struct setup *s = calloc(1, sizeof(*s));
	struct termios raw;
	int slave;

	snprintf(s->directory, sizeof(s->directory), "/tmp/agent-test-XXXXXX");
	assert_non_null(mkdtemp(s->directory));
	snprintf(s->socket, sizeof(s->socket), "%s/run/session.sock", s->directory);
	s->host = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	assert_true(s->host >= 0);
	assert_int_equal(grantpt(s->host) | unlockpt(s->host), 0);
	assert_int_equal(ptsname_r(s->host, s->port, sizeof(s->port)), 0);
	slave = open(s->port, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_int_equal(tcgetattr(slave, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(slave, TCSANOW, &raw), 0);
	assert_int_equal(loop_new(&s->loop), 0);
	assert_int_equal(link_new(s->loop, s->port, &s->link), 0);
	assert_int_equal(sessions_new(s->loop, s->socket, on_sessions, s, &s->sessions), 0);
	close(slave);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct setup *s = *state;
	char run[96];

	sessions_free(s->sessions);
	link_free(s->link);
	loop_free(s->loop);
	close(s->host);
	unlink(s->socket);
	snprintf(run, sizeof(run), "%s/run", s->directory);
	rmdir(run);
	rmdir(s->directory);
	free(s);
	return 0;
}

static void on_step(uint32_t events, void *userdata)
{
	struct setup *s = userdata;
	ssize_t n = read(s->host, s->text + s->used, sizeof(s->text) - 1 - s->used);

	(void)events;
	if (n > 0)
		s->used += (size_t)n;
	s->text[s->used] = '\0';
	s->found = strstr(s->text, s->wanted) != NULL;
	s->steps++;
	if (s->found || s->steps > STEPS_MAX)
		watch_free(steal_ptr(s->step));
	if (!s->step)
		loop_stop(s->loop);
}

/* Runs the agent until it has written `wanted`, and forgets what it wrote. */
static void expect(struct setup *s, const char *wanted)
{
	struct loop *loop = s->loop;

	s->wanted = wanted;
	s->steps = 0;
	assert_int_equal(loop_every(loop, STEP_MS, on_step, s, &s->step), 0);
	assert_int_equal(loop_run(loop), 0);
	if (!s->found)
		fail_msg("the agent did not write %s but: %s", wanted, s->text);
	s->used = 0;
}

static void say_to(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void say(const struct setup *s, const char *text)
{
	say_to(s->host, text);
}

static int session_connect(const struct setup *s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", s->socket);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void the_agent_says_hello_unasked_and_answers_with_the_nonce(void **state)
{
	struct setup *s = *state;

	expect(s, "\"nonce\":\"\",");
	say(s, "broken\n{\"type\":\"later\"}\n{\"type\":\"hello\",\"version\":1,\"nonce\":\"00aa\"}\n");
	expect(s, "\"nonce\":\"00aa\",\"capabilities\":[\"size\"],\"ready\":false}\n");
}

static void a_session_makes_the_desktop_ready_and_its_end_unready(void **state)
{
	struct setup *s = *state;
	struct stat st;
	int idle = session_connect(s), session = session_connect(s);

	assert_int_equal(stat(s->socket, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	say_to(session, "x\n{\"type\":\"session\",\"version\":1}\n");
	expect(s, "{\"type\":\"ready\"}\n");
	say(s, "{\"type\":\"hello\",\"version\":1,\"nonce\":\"01\"}\n");
	expect(s, "\"ready\":true}\n");
	close(session);
	/* The end is seen before the next hello's answer: both are events, taken in order of the loop. */
	expect(s, "{\"type\":\"heartbeat\"}\n");
	say(s, "{\"type\":\"hello\",\"version\":1,\"nonce\":\"02\"}\n");
	expect(s, "\"nonce\":\"02\",\"capabilities\":[\"size\"],\"ready\":false}\n");
	close(idle);
}

static void sessions_beyond_the_most_are_closed(void **state)
{
	struct setup *s = *state;
	int fds[SESSION_MAX + 1];
	char byte;

	for (int i = 0; i <= SESSION_MAX; i++) {
		char hello[80], answer[32];

		fds[i] = session_connect(s);
		/* Whatever the backlog: the agent took this one before it answered. */
		snprintf(hello, sizeof(hello), "{\"type\":\"hello\",\"version\":1,\"nonce\":\"%02x\"}\n", i);
		snprintf(answer, sizeof(answer), "\"nonce\":\"%02x\"", i);
		say(s, hello);
		expect(s, answer);
	}
	assert_int_equal(recv(fds[SESSION_MAX], &byte, 1, 0), 0);
	assert_int_equal(recv(fds[SESSION_MAX - 1], &byte, 1, MSG_DONTWAIT), -1);
	for (int i = 0; i <= SESSION_MAX; i++)
		close(fds[i]);
}

static void a_missing_port_is_waited_for(void **state)
{
	struct host_link *link = NULL;
	struct loop *loop = NULL;

	(void)state;
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(link_new(loop, "/nonexistent/port", &link), 0);
	link_free(link);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_agent_says_hello_unasked_and_answers_with_the_nonce, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_session_makes_the_desktop_ready_and_its_end_unready, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(sessions_beyond_the_most_are_closed, set_up, tear_down),
	    cmocka_unit_test(a_missing_port_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
