/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The root part against a pseudo terminal in the port's place and session parts on its socket. */
#include "common/cleanup.h"
#include "guest-agent/root_part.h"
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
	struct root_part *part;
	struct root_paths paths;
	char directory[64], socket[96], port[64], state[96], x[96];
	int x_fd; /* -1: no X server */
	int host; /* the pty's master */
	char text[8192];
	size_t used;
	const char *wanted;
	int steps;
	bool found;
};

static const struct abilities size_only = {.names = {"size"}, .os = "Tiny"};

static void start(struct setup *s, const struct abilities *abilities)
{
	root_part_free(s->part);
	assert_int_equal(root_part_new(s->loop, &s->paths, abilities, &s->part), 0);
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
	snprintf(s->state, sizeof(s->state), "%s/state", s->directory);
	snprintf(s->x, sizeof(s->x), "%s/X0", s->directory);
	s->x_fd = -1;
	s->paths = (struct root_paths){.port = s->port, .socket = s->socket, .state = s->state, .x = s->x};
	start(s, &size_only);
	close(slave);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct setup *s = *state;
	char run[96];

	root_part_free(s->part);
	closep(&s->x_fd);
	unlink(s->state);
	unlink(s->x);
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
	expect(s, "\"nonce\":\"00aa\",\"os\":\"Tiny\",\"capabilities\":[\"size\"],\"ready\":false}\n");
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
	expect(s, "\"nonce\":\"02\",\"os\":\"Tiny\",\"capabilities\":[\"size\"],\"ready\":false}\n");
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
	struct setup *s = *state;

	s->paths.port = "/nonexistent/port";
	start(s, &size_only);
}

static void what_this_guest_cannot_do_is_refused(void **state)
{
	struct setup *s = *state;

	say(s, "{\"type\":\"lock\",\"id\":4}\n{\"type\":\"sign-in\",\"id\":5}\n{\"type\":\"later\",\"id\":6}\n");
	expect(s, "{\"type\":\"result\",\"id\":4,\"ok\":false,\"error\":\"not supported\"}\n"
		  "{\"type\":\"result\",\"id\":5,\"ok\":false,\"error\":\"the request is not well-formed\"}\n"
		  "{\"type\":\"result\",\"id\":6,\"ok\":false,\"error\":\"not supported\"}\n");
}

static const struct abilities signs_in = {.names = {"size", "sign-in", "log-off"}, .os = "Tiny"};

/*
 * systemctl: a unit lasts as long as its file; a start without --wait, a stop and is-active do as the real one.
 */
static void fake_systemctl(struct setup *s)
{
	static const char script[] =
	    "#!/bin/sh\nunit="
	    "%s/unit\n"
	    "case $1 in\n"
	    "start) echo \"$3\" >$unit; while [ -e $unit ]; do sleep 0.02; done; cat %s/last 2>/dev/null && exit 1 ;;\n"
	    "stop) rm -f $unit ;;\n"
	    "is-active) [ -e $unit ] ;;\n"
	    "is-system-running) cat %s/system 2>/dev/null || echo running ;;\n"
	    "esac\n";
	char path[128], text[1024];
	int fd;

	snprintf(path, sizeof(path), "%s/systemctl", s->directory);
	snprintf(text, sizeof(text), script, s->directory, s->directory, s->directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	snprintf(text, sizeof(text), "%s:/usr/bin:/bin", s->directory);
	setenv("PATH", text, 1);
}

static void x_starts(struct setup *s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	s->x_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", s->x);
	assert_int_equal(bind(s->x_fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(s->x_fd, 128), 0);
}

static int set_up_sign_in(void **state)
{
	struct setup *s;

	set_up(state);
	s = *state;
	fake_systemctl(s);
	start(s, &signs_in);
	return 0;
}

static int tear_down_sign_in(void **state)
{
	static const char *const files[] = {"unit", "systemctl", "last", "system"};
	struct setup *s = *state;
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", s->directory, files[i]);
		unlink(path);
	}
	return tear_down(state);
}

#define SIGN_IN(id, name, uid)                                                                                         \
	"{\"type\":\"sign-in\",\"id\":" id ",\"name\":\"" name "\",\"uid\":" uid ",\"gid\":2001}\n"
/* Sessions of whoever runs the test; the session socket knows the uid. */
#define SESSION(state) "{\"type\":\"session\",\"state\":\"" state "\",\"user\":\"alice\",\"uid\":"

/* Waits until the unit has begun, too: systemd would put what comes next behind that. */
static void sign_in(struct setup *s)
{
	char line[256], unit[128];
	int tries = 0;

	snprintf(line, sizeof(line), SIGN_IN("1", "alice", "%u"), (unsigned)getuid() > 0 ? (unsigned)getuid() : 1);
	say(s, line);
	expect(s, SESSION("starting"));
	snprintf(unit, sizeof(unit), "%s/unit", s->directory);
	while (access(unit, F_OK) < 0) {
		assert_true(tries++ < STEPS_MAX);
		usleep(STEP_MS * 1000);
	}
}

static void signing_in_starts_a_session_and_tells_what_becomes_of_it(void **state)
{
	struct setup *s = *state;

	expect(s, "\"capabilities\":[\"size\",\"sign-in\",\"log-off\"],\"ready\":false}\n");
	x_starts(s);
	expect(s, "{\"type\":\"ready\"}\n");
	sign_in(s);
	say(s, SIGN_IN("2", "bob", "7777"));
	expect(s, "{\"type\":\"result\",\"id\":2,\"ok\":false,\"error\":\"alice is signed in to this desktop\"}\n");
	say(s, "{\"type\":\"log-off\",\"id\":3}\n");
	expect(s, SESSION("ended"));
	say(s, "{\"type\":\"hello\",\"version\":1,\"nonce\":\"03\"}\n");
	expect(s, "\"ready\":true}\n");
}

static void a_sign_in_that_is_refused_says_why(void **state)
{
	struct setup *s = *state;

	say(s, SIGN_IN("1", "nobody-knows", "2002"));
	expect(s, "{\"type\":\"result\",\"id\":1,\"ok\":false,\"error\":\"there is no place for nobody-knows\"}\n");
	say(s, SIGN_IN("2", "alice", "2002"));
	expect(s, "{\"type\":\"result\",\"id\":2,\"ok\":true}\n");
}

static void write_file(struct setup *s, const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", s->directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	say_to(fd, text);
	close(fd);
}

static void unit_ends(struct setup *s)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/unit", s->directory);
	assert_int_equal(unlink(path), 0);
}

static void a_guest_that_goes_down_is_no_log_off(void **state)
{
	struct setup *s = *state;

	sign_in(s);
	write_file(s, "system", "stopping\n");
	unit_ends(s);
	for (int beats = 0; beats < 2; beats++) {
		expect(s, "{\"type\":\"heartbeat\"}\n");
		assert_null(strstr(s->text, "ended"));
	}
}

static void a_session_that_fails_says_why(void **state)
{
	struct setup *s = *state;

	sign_in(s);
	write_file(s, "last", "the window manager is missing\n");
	unit_ends(s);
	expect(s, "\"reason\":\"the window manager is missing\"}\n");
}

static void a_restarted_agent_finds_the_session(void **state)
{
	struct setup *s = *state;

	sign_in(s);
	start(s, &signs_in);
	expect(s, "\"session\":" SESSION("starting"));
	say(s, "{\"type\":\"log-off\",\"id\":3}\n");
	expect(s, SESSION("ended"));
}

static void parts_of_the_user_make_the_session_active_and_locked(void **state)
{
	struct setup *s = *state;
	int session, locker;

	if (getuid() == 0) {
		/* uid 0 never signs in: its session is played by the file that a former agent left. */
		char text[] = "0 alice\n", unit[128];
		int fd = open(s->state, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		say_to(fd, text);
		close(fd);
		snprintf(unit, sizeof(unit), "%s/unit", s->directory);
		close(open(unit, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		start(s, &signs_in);
		expect(s, SESSION("starting"));
	} else {
		sign_in(s);
	}
	session = session_connect(s);
	say_to(session, "{\"type\":\"session\",\"version\":1}\n");
	expect(s, SESSION("active"));
	locker = session_connect(s);
	say_to(locker, "{\"type\":\"locked\",\"version\":1}\n");
	expect(s, SESSION("locked"));
	close(locker);
	expect(s, SESSION("active"));
	close(session);
}

/* The agent runs itself for what would block; in this test that is this program. */
static int prepare(const char *name)
{
	if (strcmp(name, "alice") == 0) {
		puts("alice");
		return 0;
	}
	fprintf(stderr, "noise\nthere is no place for %s\n", name);
	return 1;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_this_guest_cannot_do_is_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(signing_in_starts_a_session_and_tells_what_becomes_of_it, set_up_sign_in,
					    tear_down_sign_in),
	    cmocka_unit_test_setup_teardown(a_sign_in_that_is_refused_says_why, set_up_sign_in, tear_down_sign_in),
	    cmocka_unit_test_setup_teardown(a_guest_that_goes_down_is_no_log_off, set_up_sign_in, tear_down_sign_in),
	    cmocka_unit_test_setup_teardown(a_session_that_fails_says_why, set_up_sign_in, tear_down_sign_in),
	    cmocka_unit_test_setup_teardown(a_restarted_agent_finds_the_session, set_up_sign_in, tear_down_sign_in),
	    cmocka_unit_test_setup_teardown(parts_of_the_user_make_the_session_active_and_locked, set_up_sign_in,
					    tear_down_sign_in),
	    cmocka_unit_test_setup_teardown(the_agent_says_hello_unasked_and_answers_with_the_nonce, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_session_makes_the_desktop_ready_and_its_end_unready, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(sessions_beyond_the_most_are_closed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_missing_port_is_waited_for, set_up, tear_down),
	};

	if (argc > 3 && strcmp(argv[1], "--prepare-user") == 0)
		return prepare(argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
