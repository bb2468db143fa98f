/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The root part's clipboard: a pseudo terminal in the port's place as the host, session parts on the session socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "guest-agent/clipboard.h"
#include "guest-agent/root_part.h"
#include "guest-agent/root_socket.h"
#include "guest-agent/vdagent_socket.h"
#include "tests/unit/vdagent_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <termios.h>

#define LONG_SIZE ((size_t)5 << 20)

struct setup {
	struct x_world world;
	char port[64], socket[96], state[96], reason[96], x[96];
	struct root_paths paths;
	struct root_part *part;
	int slave; /* so that the terminal lasts */
	struct vdagent_peer host, user;
	bool user_is_there;
};

static const struct abilities nothing = {.names = {"size"}, .os = "Tiny"};
static const struct abilities signs_in = {.names = {"size", "sign-in", "log-off"}, .os = "Tiny"};

static void open_terminal(struct setup *s)
{
	int host = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	struct termios raw;

	assert_true(host >= 0);
	assert_int_equal(grantpt(host) | unlockpt(host), 0);
	assert_int_equal(ptsname_r(host, s->port, sizeof(s->port)), 0);
	s->slave = open(s->port, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_int_equal(tcgetattr(s->slave, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(s->slave, TCSANOW, &raw), 0);
	vdagent_peer_new(&s->host, host);
}

static int set_up(void **state)
{
	struct setup *s = calloc(1, sizeof(*s));

	x_world_new(&s->world);
	open_terminal(s);
	snprintf(s->socket, sizeof(s->socket), "%s/run/session.sock", s->world.directory);
	snprintf(s->state, sizeof(s->state), "%s/state", s->world.directory);
	snprintf(s->reason, sizeof(s->reason), "%s/reason", s->world.directory);
	snprintf(s->x, sizeof(s->x), "%s/X0", s->world.directory);
	s->paths = (struct root_paths){.port = "/nonexistent/port",
				       .clipboard = s->port,
				       .socket = s->socket,
				       .x = s->x,
				       .signin = {.state = s->state, .reason = s->reason}};
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct setup *s = *state;

	root_part_free(s->part);
	if (s->user_is_there)
		vdagent_peer_clear(&s->user);
	vdagent_peer_clear(&s->host);
	close(s->slave);
	x_world_clear(&s->world);
	free(s);
	return 0;
}

/* The agent announces itself, and hears what the host can. */
static void hear_announce(struct setup *s, bool request)
{
	vdagent_peer_hear(&s->world, &s->host, VD_AGENT_ANNOUNCE_CAPABILITIES);
	assert_int_equal(s->host.request, request);
	assert_int_equal(s->host.caps, CLIPBOARD_CAPS);
}

static void start(struct setup *s, const struct abilities *abilities)
{
	assert_int_equal(root_part_new(s->world.loop, &s->paths, abilities, &s->part), 0);
	hear_announce(s, true);
	vdagent_peer_announce(&s->world, &s->host, false, PEER_CAPS);
	/* And it has been heard. */
	vdagent_peer_request(&s->world, &s->host, 0);
	vdagent_peer_hear_text(&s->world, &s->host, 0, NULL, 0);
}

static void connect_user(struct setup *s)
{
	int fd = root_connect(s->socket);

	assert_true(fd >= 0);
	assert_int_equal(root_say(fd, "clipboard"), 0);
	assert_int_equal(fd_set_nonblock(fd, 1), 0);
	vdagent_peer_new(&s->user, fd);
	s->user_is_there = true;
}

/* A session part is there, and both it and the host know of each other. */
static void start_with_user(struct setup *s)
{
	start(s, &nothing);
	connect_user(s);
	hear_announce(s, true);
	vdagent_peer_announce(&s->world, &s->host, false, PEER_CAPS);
	vdagent_peer_hear(&s->world, &s->user, VD_AGENT_ANNOUNCE_CAPABILITIES);
	assert_int_equal(s->user.caps, PEER_CAPS);
}

static void the_agent_announces_itself_and_answers(void **state)
{
	struct setup *s = *state;

	start(s, &nothing);
	vdagent_peer_announce(&s->world, &s->host, true, PEER_CAPS);
	hear_announce(s, false);
}

static void without_a_session_part_there_is_no_text(void **state)
{
	struct setup *s = *state;

	start(s, &nothing);
	for (uint32_t i = 0; i < VDAGENT_SELECTIONS; i++) {
		vdagent_peer_grab(&s->world, &s->host, i, 0);
		vdagent_peer_request(&s->world, &s->host, i);
		vdagent_peer_hear_text(&s->world, &s->host, i, NULL, 0);
	}
}

static void copy(struct setup *s, struct vdagent_peer *from, struct vdagent_peer *to, uint32_t selection,
		 const char *text, size_t size)
{
	vdagent_peer_grab(&s->world, from, selection, 4711);
	vdagent_peer_hear(&s->world, to, VD_AGENT_CLIPBOARD_GRAB);
	assert_int_equal(to->what.selection, selection);
	assert_int_equal(to->what.serial, 4711);
	vdagent_peer_request(&s->world, to, selection);
	vdagent_peer_hear(&s->world, from, VD_AGENT_CLIPBOARD_REQUEST);
	assert_int_equal(from->what.selection, selection);
	vdagent_peer_text(&s->world, from, selection, text, size);
	vdagent_peer_hear_text(&s->world, to, selection, text, size);
	vdagent_peer_say(&s->world, from, VD_AGENT_CLIPBOARD_RELEASE,
			 &(struct vdagent_clipboard){.selection = selection});
	vdagent_peer_hear(&s->world, to, VD_AGENT_CLIPBOARD_RELEASE);
}

static void texts_go_through_in_both_directions(void **state)
{
	struct setup *s = *state;
	_cleanup_free_ char *text = x_world_long_text(LONG_SIZE);

	start_with_user(s);
	for (uint32_t i = 0; i < VDAGENT_SELECTIONS; i++) {
		copy(s, &s->user, &s->host, i, X_WORLD_TEXT, strlen(X_WORLD_TEXT));
		copy(s, &s->host, &s->user, i, X_WORLD_TEXT, strlen(X_WORLD_TEXT));
	}
	copy(s, &s->user, &s->host, 0, text, LONG_SIZE);
	copy(s, &s->host, &s->user, 1, text, LONG_SIZE);
}

/* The refusal comes back, and what is said before it to the other does not. */
static void what_nobody_asked_for_is_dropped(void **state)
{
	struct setup *s = *state;
	struct vdagent_buffer size = {0};

	start_with_user(s);
	vdagent_peer_text(&s->world, &s->user, 0, "unasked", 7);
	vdagent_peer_announce(&s->world, &s->user, true, 0);
	assert_int_equal(vdagent_write_monitor(&size, 640, 480), 0);
	vdagent_peer_write(&s->world, &s->user, size.data, size.size);
	free(size.data);
	vdagent_peer_grab(&s->world, &s->user, 1, 0);
	vdagent_peer_hear(&s->world, &s->host, VD_AGENT_CLIPBOARD_GRAB);
	vdagent_peer_text(&s->world, &s->host, 0, "unasked", 7);
	vdagent_peer_grab(&s->world, &s->host, 0, 0);
	vdagent_peer_hear(&s->world, &s->user, VD_AGENT_CLIPBOARD_GRAB);
}

/* The host is told that there is none; the next one is no worse off. */
static void a_text_over_the_limit_is_none(void **state)
{
	struct setup *s = *state;
	size_t size = CLIPBOARD_TEXT_MAX + 100;
	_cleanup_free_ char *text = x_world_long_text(size);

	start_with_user(s);
	vdagent_peer_grab(&s->world, &s->user, 0, 0);
	vdagent_peer_hear(&s->world, &s->host, VD_AGENT_CLIPBOARD_GRAB);
	vdagent_peer_request(&s->world, &s->host, 0);
	vdagent_peer_hear(&s->world, &s->user, VD_AGENT_CLIPBOARD_REQUEST);
	vdagent_peer_text(&s->world, &s->user, 0, text, size);
	vdagent_peer_hear_text(&s->world, &s->host, 0, NULL, 0);
	vdagent_peer_request(&s->world, &s->user, 1);
	vdagent_peer_hear(&s->world, &s->host, VD_AGENT_CLIPBOARD_REQUEST);
	vdagent_peer_text(&s->world, &s->host, 1, text, size);
	vdagent_peer_hear_text(&s->world, &s->user, 1, NULL, 0);
	copy(s, &s->user, &s->host, 0, "x", 1);
}

static void a_session_part_that_goes_leaves_no_text_and_nobody_waiting(void **state)
{
	struct setup *s = *state;
	static const uint8_t broken[] = {9, 9, 9, 9, 0, 0, 0, 0}; /* no such port of a chunk */

	start_with_user(s);
	vdagent_peer_grab(&s->world, &s->user, 1, 0);
	vdagent_peer_hear(&s->world, &s->host, VD_AGENT_CLIPBOARD_GRAB);
	vdagent_peer_request(&s->world, &s->host, 1);
	vdagent_peer_hear(&s->world, &s->user, VD_AGENT_CLIPBOARD_REQUEST);
	vdagent_peer_write(&s->world, &s->user, broken, sizeof(broken));
	vdagent_peer_hear_end(&s->world, &s->user);
	vdagent_peer_hear_text(&s->world, &s->host, 1, NULL, 0);
	vdagent_peer_hear(&s->world, &s->host, VD_AGENT_CLIPBOARD_RELEASE);
	assert_int_equal(s->host.what.selection, 1);
	/* The next one is as welcome. */
	vdagent_peer_clear(&s->user);
	connect_user(s);
	hear_announce(s, true);
}

static void only_one_session_part_is_served(void **state)
{
	struct setup *s = *state;
	struct vdagent_peer first;

	start_with_user(s);
	first = s->user;
	connect_user(s);
	vdagent_peer_hear_end(&s->world, &s->user);
	vdagent_peer_clear(&s->user);
	s->user = first;
	copy(s, &s->user, &s->host, 0, "x", 1);
}

static void nobody_is_served_while_nobody_is_signed_in(void **state)
{
	struct setup *s = *state;

	start(s, &signs_in);
	connect_user(s);
	vdagent_peer_hear_end(&s->world, &s->user);
	vdagent_peer_request(&s->world, &s->host, 0);
	vdagent_peer_hear_text(&s->world, &s->host, 0, NULL, 0);
}

struct flood {
	struct setup *s;
	struct vdagent_buffer grabs;
	size_t written;
	int idle; /* looks at which nothing could be written */
};

static bool is_stuck(void *userdata)
{
	struct flood *flood = userdata;
	ssize_t n = write(flood->s->user.fd, flood->grabs.data, flood->grabs.size);

	/* Whole messages or none, so that what comes behind is understood. */
	assert_true(n < 0 || (size_t)n == flood->grabs.size);
	flood->written += n > 0 ? (size_t)n : 0;
	flood->idle = n > 0 ? 0 : flood->idle + 1;
	return flood->idle > 20 || flood->written > ((size_t)4 << 20);
}

/* Nothing is read from a flood that the host does not take, and all of it arrives when it does. */
static void a_flood_waits_for_the_host(void **state)
{
	struct setup *s = *state;
	struct flood flood = {.s = s};
	const struct vdagent_clipboard grab = {.type = VD_AGENT_CLIPBOARD_UTF8_TEXT};
	size_t size;

	start_with_user(s);
	assert_int_equal(vdagent_write_clipboard(&flood.grabs, VD_AGENT_CLIPBOARD_GRAB, PEER_CAPS, &grab), 0);
	size = flood.grabs.size;
	x_world_run(&s->world, "the end of reading", is_stuck, &flood);
	assert_true(flood.written < (size_t)2 << 20);
	for (size_t i = 0; i < flood.written / size; i++)
		vdagent_peer_hear(&s->world, &s->host, VD_AGENT_CLIPBOARD_GRAB);
	free(flood.grabs.data);
	copy(s, &s->user, &s->host, 1, "x", 1);
}

/* The port is opened anew, and the conversation begins again. */
static void a_host_that_breaks_the_protocol_is_begun_with_again(void **state)
{
	struct setup *s = *state;
	static const uint8_t broken[] = {9, 9, 9, 9, 0, 0, 0, 0};

	start_with_user(s);
	vdagent_peer_write(&s->world, &s->host, broken, sizeof(broken));
	vdagent_peer_hear(&s->world, &s->user, VD_AGENT_ANNOUNCE_CAPABILITIES);
	assert_int_equal(s->user.caps, 0);
	hear_announce(s, true);
	vdagent_peer_announce(&s->world, &s->host, false, PEER_CAPS);
	vdagent_peer_hear(&s->world, &s->user, VD_AGENT_ANNOUNCE_CAPABILITIES);
	copy(s, &s->host, &s->user, 0, "x", 1);
}

/* The whole guest: an X program, the session part, the root part. */
/* Its first words would be taken for the rest of the message. */
static void a_host_that_comes_within_the_message_of_another_is_begun_with(void **state)
{
	struct setup *s = *state;
	struct vdagent_buffer text = {0};
	const struct vdagent_clipboard what = {
	    .type = VD_AGENT_CLIPBOARD_UTF8_TEXT, .data = (const uint8_t *)X_WORLD_TEXT, .size = strlen(X_WORLD_TEXT)};

	start_with_user(s);
	assert_int_equal(vdagent_write_clipboard(&text, VD_AGENT_CLIPBOARD, PEER_CAPS, &what), 0);
	vdagent_peer_write(&s->world, &s->host, text.data, text.size / 2);
	free(text.data);
	x_world_skipped += 11;
	hear_announce(s, true);
	vdagent_peer_hear(&s->world, &s->user, VD_AGENT_ANNOUNCE_CAPABILITIES);
	assert_int_equal(s->user.caps, 0);
	vdagent_peer_announce(&s->world, &s->host, false, PEER_CAPS);
	vdagent_peer_hear(&s->world, &s->user, VD_AGENT_ANNOUNCE_CAPABILITIES);
	copy(s, &s->host, &s->user, 0, "x", 1);
}

static void a_copy_in_the_guest_reaches_the_host_and_a_paste_comes_from_it(void **state)
{
	struct setup *s = *state;
	struct clipboard *clipboard;
	_cleanup_free_ char *text = x_world_long_text(LONG_SIZE);
	struct x_world_paste paste;
	pid_t xclip;

	x_world_start(&s->world);
	start(s, &nothing);
	assert_int_equal(clipboard_new(s->world.loop, s->socket, &clipboard), 0);
	hear_announce(s, true);
	vdagent_peer_announce(&s->world, &s->host, false, PEER_CAPS);
	xclip = x_world_copy(&s->world, "clipboard", text, LONG_SIZE);
	vdagent_peer_hear(&s->world, &s->host, VD_AGENT_CLIPBOARD_GRAB);
	vdagent_peer_request(&s->world, &s->host, 0);
	vdagent_peer_hear_text(&s->world, &s->host, 0, text, LONG_SIZE);
	vdagent_peer_grab(&s->world, &s->host, 0, 1);
	vdagent_peer_request(&s->world, &s->host, 0);
	vdagent_peer_hear_text(&s->world, &s->host, 0, NULL, 0);
	x_world_paste(&s->world, "clipboard", "UTF8_STRING", &paste);
	vdagent_peer_hear(&s->world, &s->host, VD_AGENT_CLIPBOARD_REQUEST);
	vdagent_peer_text(&s->world, &s->host, 0, text, LONG_SIZE);
	x_world_run(&s->world, "the paste", x_world_pasted, &paste);
	assert_int_equal(paste.size, LONG_SIZE);
	assert_memory_equal(paste.text, text, LONG_SIZE);
	free(paste.text);
	x_world_end(xclip);
	clipboard_free(clipboard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    TEST(the_agent_announces_itself_and_answers),
	    TEST(without_a_session_part_there_is_no_text),
	    TEST(texts_go_through_in_both_directions),
	    TEST(what_nobody_asked_for_is_dropped),
	    TEST(a_text_over_the_limit_is_none),
	    TEST(a_session_part_that_goes_leaves_no_text_and_nobody_waiting),
	    TEST(only_one_session_part_is_served),
	    TEST(nobody_is_served_while_nobody_is_signed_in),
	    TEST(a_flood_waits_for_the_host),
	    TEST(a_host_that_breaks_the_protocol_is_begun_with_again),
	    TEST(a_host_that_comes_within_the_message_of_another_is_begun_with),
	    TEST(a_copy_in_the_guest_reaches_the_host_and_a_paste_comes_from_it),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
