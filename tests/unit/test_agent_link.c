/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The root part against a pseudo terminal in the port's place and session parts on its socket. */
#include "common/cleanup.h"
#include "guest-agent/root_part.h"
#include "guest-agent/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

#include <cmocka.h>

#define STEPS_MAX 500
#define STEP_MS 20

struct setup {
	struct loop *loop;
	struct watch *step;
	struct root_part *part;
	struct root_paths paths;
	char directory[64], socket[96], port[64], state[96], reason[96], x[96];
	int x_fd; /* -1: no X server */
	int host; /* the pty's master */
	char text[8192];
	size_t used;
	const char *wanted;
	int steps;
	bool found;
	bool asks; /* says hello now and then meanwhile */
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
	snprintf(s->reason, sizeof(s->reason), "%s/reason", s->directory);
	s->paths = (struct root_paths){
	    .port = s->port, .socket = s->socket, .x = s->x, .signin = {.state = s->state, .reason = s->reason}};
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
	unlink(s->reason);
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

static void say_to(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void say(const struct setup *s, const char *text)
{
	say_to(s->host, text);
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
	if (s->asks && !s->found && s->steps % 5 == 0)
		say(s, "{\"type\":\"hello\",\"version\":1,\"nonce\":\"99\"}\n");
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

/* The agent's hello comes to say this. */
static void expect_hello(struct setup *s, const char *wanted)
{
	s->asks = true;
	expect(s, wanted);
	s->asks = false;
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
	expect_hello(s, "\"nonce\":\"99\",\"os\":\"Tiny\",\"capabilities\":[\"size\"],\"ready\":false}\n");
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

/* The guest has just booted and the host was there before: hello and requests are the first thing that is read. */
static void requests_that_wait_in_the_port_are_answered(void **state)
{
	struct setup *s = *state;
	_cleanup_close_ int slave = open(s->port, O_RDWR | O_NOCTTY | O_CLOEXEC);

	root_part_free(s->part);
	s->part = NULL;
	say(s, "{\"type\":\"hello\",\"version\":1,\"nonce\":\"e1\"}\n{\"type\":\"lock\",\"id\":7}\n");
	start(s, &size_only);
	expect(s, "\"id\":7");
	assert_non_null(strstr(s->text, "\"nonce\":\"e1\""));
}

/*
 * systemctl: a unit lasts as long as its file; start --wait, stop and is-active do as the real ones. A start comes late
 * when unit.slow is there, ends early when unit.lost is there, and badly when there is a reason.
 */
static void fake_systemctl(struct setup *s)
{
	static const char script[] =
	    "#!/bin/sh\nunit="
	    "%s/unit\n"
	    "case $1 in\n"
	    "start) [ ! -e $unit.slow ] || sleep 0.4\n"
	    "echo \"$3\" >$unit; while [ -e $unit ]; do [ ! -e $unit.lost ] || exit 1; sleep 0.02; done\n"
	    "[ ! -e %s ] || exit 1 ;;\n"
	    "stop) rm -f $unit ;;\n"
	    "is-active) if [ -e $unit ]; then echo active; else echo inactive; fi ;;\n"
	    "is-system-running) cat $unit.system 2>/dev/null || echo running ;;\n"
	    "esac\n";
	char path[128], text[1024];
	int fd;

	snprintf(path, sizeof(path), "%s/systemctl", s->directory);
	snprintf(text, sizeof(text), script, s->directory, s->reason);
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
	static const char *const files[] = {"unit", "unit.lost", "unit.slow", "unit.system", "systemctl"};
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

/* The session's unit is there then, too. */
static void sign_in(struct setup *s)
{
	char unit[128];

	snprintf(unit, sizeof(unit), "%s/unit", s->directory);
	say(s, SIGN_IN("1", "alice", "1"));
	expect(s, SESSION("starting"));
	for (int i = 0; i < STEPS_MAX && access(unit, F_OK) < 0; i++)
		poll(NULL, 0, STEP_MS);
	assert_int_equal(access(unit, F_OK), 0);
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

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	say_to(fd, text);
	close(fd);
}

static void unit_ends(const struct setup *s)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/unit", s->directory);
	assert_int_equal(unlink(path), 0);
}

static void a_guest_that_goes_down_is_no_log_off(void **state)
{
	struct setup *s = *state;
	char path[128];

	sign_in(s);
	snprintf(path, sizeof(path), "%s/unit.system", s->directory);
	write_file(path, "stopping\n");
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
	write_file(s->reason, "the window manager is missing\n");
	unit_ends(s);
	expect(s, "\"reason\":\"the window manager is missing\"}\n");
	assert_int_equal(access(s->reason, F_OK), -1);
}

static void a_log_off_is_answered_after_the_end(void **state)
{
	struct setup *s = *state;

	sign_in(s);
	say(s, "{\"type\":\"log-off\",\"id\":2}\n");
	expect(s, SESSION("ended") "1}\n{\"type\":\"result\",\"id\":2,\"ok\":true}\n");
	say(s, "{\"type\":\"log-off\",\"id\":3}\n");
	expect(s, "{\"type\":\"result\",\"id\":3,\"ok\":true}\n");
}

static void a_sign_in_waits_for_the_log_off_before_it(void **state)
{
	struct setup *s = *state;

	sign_in(s);
	say(s, "{\"type\":\"log-off\",\"id\":2}\n" SIGN_IN("3", "alice", "1"));
	expect(s, SESSION("ended") "1}\n{\"type\":\"result\",\"id\":2,\"ok\":true}\n"
				   "{\"type\":\"result\",\"id\":3,\"ok\":true}\n" SESSION("starting"));
}

static void a_log_off_that_overtakes_the_start_ends_the_session_all_the_same(void **state)
{
	struct setup *s = *state;
	char slow[128];

	snprintf(slow, sizeof(slow), "%s/unit.slow", s->directory);
	write_file(slow, "");
	say(s, SIGN_IN("1", "alice", "1"));
	expect(s, SESSION("starting"));
	say(s, "{\"type\":\"log-off\",\"id\":2}\n");
	expect(s, SESSION("ended") "1}\n{\"type\":\"result\",\"id\":2,\"ok\":true}\n");
}

static void a_log_off_before_there_is_a_session_keeps_it_from_beginning(void **state)
{
	struct setup *s = *state;

	say(s, SIGN_IN("1", "alice", "1") "{\"type\":\"log-off\",\"id\":2}\n");
	expect(s, "{\"type\":\"result\",\"id\":1,\"ok\":false,\"error\":\"logged off before the session began\"}\n"
		  "{\"type\":\"result\",\"id\":2,\"ok\":true}\n");
	sign_in(s);
}

/* systemctl's connection ends with the systemd that it speaks to; the session does not. */
static void a_session_outlives_who_watches_it(void **state)
{
	struct setup *s = *state;
	char lost[128];

	sign_in(s);
	snprintf(lost, sizeof(lost), "%s/unit.lost", s->directory);
	write_file(lost, "");
	expect(s, "{\"type\":\"heartbeat\"}\n");
	say(s, SIGN_IN("2", "bob", "7777"));
	expect(s, "{\"type\":\"result\",\"id\":2,\"ok\":false,\"error\":\"alice is signed in to this desktop\"}\n");
	unit_ends(s);
	expect(s, SESSION("ended"));
}

static void an_x_server_that_ends_is_looked_for_again(void **state)
{
	struct setup *s = *state;
	pid_t x = fork();

	if (x == 0) {
		x_starts(s);
		pause();
		_exit(0);
	}
	expect(s, "{\"type\":\"ready\"}\n");
	kill(x, SIGKILL);
	waitpid(x, NULL, 0);
	unlink(s->x);
	expect_hello(s, "\"ready\":false}\n");
	x_starts(s);
	expect(s, "{\"type\":\"ready\"}\n");
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
	char path[128], text[64];
	int session, locker;

	/* uid 0 never signs in: the session of whoever runs this is played by the file that a former agent left. */
	snprintf(text, sizeof(text), "%u alice\n", (unsigned)getuid());
	write_file(s->state, text);
	snprintf(path, sizeof(path), "%s/unit", s->directory);
	write_file(path, "");
	start(s, &signs_in);
	expect(s, SESSION("starting"));
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
	    cmocka_unit_test_setup_teardown(requests_that_wait_in_the_port_are_answered, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(signing_in_starts_a_session_and_tells_what_becomes_of_it, set_up_sign_in,
					    tear_down_sign_in),
	    cmocka_unit_test_setup_teardown(a_sign_in_that_is_refused_says_why, set_up_sign_in, tear_down_sign_in),
	    cmocka_unit_test_setup_teardown(a_guest_that_goes_down_is_no_log_off, set_up_sign_in, tear_down_sign_in),
	    cmocka_unit_test_setup_teardown(a_session_that_fails_says_why, set_up_sign_in, tear_down_sign_in),
	    cmocka_unit_test_setup_teardown(a_log_off_is_answered_after_the_end, set_up_sign_in, tear_down_sign_in),
	    cmocka_unit_test_setup_teardown(a_sign_in_waits_for_the_log_off_before_it, set_up_sign_in,
					    tear_down_sign_in),
	    cmocka_unit_test_setup_teardown(a_log_off_that_overtakes_the_start_ends_the_session_all_the_same,
					    set_up_sign_in, tear_down_sign_in),
	    cmocka_unit_test_setup_teardown(a_log_off_before_there_is_a_session_keeps_it_from_beginning, set_up_sign_in,
					    tear_down_sign_in),
	    cmocka_unit_test_setup_teardown(a_session_outlives_who_watches_it, set_up_sign_in, tear_down_sign_in),
	    cmocka_unit_test_setup_teardown(an_x_server_that_ends_is_looked_for_again, set_up_sign_in,
					    tear_down_sign_in),
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
