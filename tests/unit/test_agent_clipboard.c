/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The session part's clipboard between a real X server with xclip and a scripted root part. */
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
#include "guest-agent/clipboard.h"
#include "tests/unit/vdagent_peer.h"

#include <signal.h>
#include <sys/socket.h>

#define LONG_SIZE ((size_t)5 << 20)
#define HELLO "{\"type\":\"clipboard\",\"version\":1}\n"

struct setup {
	struct x_world world;
	char path[96];
	int listener, accepted;
	char hello[sizeof(HELLO)];
	size_t said;
	struct vdagent_peer root;
	struct clipboard *clipboard;
};

static bool is_accepted(void *userdata)
{
	struct setup *s = userdata;

	s->accepted = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return s->accepted >= 0;
}

static bool has_said_hello(void *userdata)
{
	struct setup *s = userdata;
	ssize_t n = read(s->accepted, s->hello + s->said, sizeof(s->hello) - s->said);

	s->said += n > 0 ? (size_t)n : 0;
	return s->said >= sizeof(HELLO) - 1;
}

/* The session part says what it is, and nothing more before it is told of a host. */
static void accept_part(struct setup *s)
{
	s->said = 0;
	x_world_run(&s->world, "a connection", is_accepted, s);
	x_world_run(&s->world, "a hello", has_said_hello, s);
	assert_int_equal(s->said, sizeof(HELLO) - 1);
	assert_memory_equal(s->hello, HELLO, sizeof(HELLO) - 1);
	vdagent_peer_new(&s->root, s->accepted);
}

static int set_up(void **state)
{
	struct setup *s = calloc(1, sizeof(*s));

	x_world_new(&s->world);
	x_world_start(&s->world);
	snprintf(s->path, sizeof(s->path), "%s/session.sock", s->world.directory);
	s->listener = socket_listen(s->path, SOCK_STREAM, 4, 0600);
	assert_true(s->listener >= 0);
	assert_int_equal(clipboard_new(s->world.loop, s->path, &s->clipboard), 0);
	accept_part(s);
	vdagent_peer_announce(&s->world, &s->root, false, PEER_CAPS);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct setup *s = *state;

	clipboard_free(s->clipboard);
	vdagent_peer_clear(&s->root);
	close(s->listener);
	x_world_clear(&s->world);
	free(s);
	return 0;
}

static void expect_grab(struct setup *s, uint32_t selection, uint32_t serial)
{
	vdagent_peer_hear(&s->world, &s->root, VD_AGENT_CLIPBOARD_GRAB);
	assert_int_equal(s->root.what.selection, selection);
	assert_int_equal(s->root.what.serial, serial);
	assert_int_equal(s->root.what.type, VD_AGENT_CLIPBOARD_UTF8_TEXT);
}

static void expect_copy(struct setup *s, uint32_t selection, const char *text, size_t size)
{
	pid_t xclip = x_world_copy(&s->world, selection ? "primary" : "clipboard", text, size);

	expect_grab(s, selection, 0);
	vdagent_peer_request(&s->world, &s->root, selection);
	vdagent_peer_hear_text(&s->world, &s->root, selection, text, size);
	x_world_end(xclip);
	vdagent_peer_hear(&s->world, &s->root, VD_AGENT_CLIPBOARD_RELEASE);
	assert_int_equal(s->root.what.selection, selection);
}

static void what_a_program_copies_goes_to_the_host_when_it_is_asked_for(void **state)
{
	struct setup *s = *state;

	expect_copy(s, 0, X_WORLD_TEXT, strlen(X_WORLD_TEXT));
	expect_copy(s, 1, X_WORLD_TEXT, strlen(X_WORLD_TEXT));
}

static void a_long_text_goes_to_the_host(void **state)
{
	struct setup *s = *state;
	_cleanup_free_ char *text = x_world_long_text(LONG_SIZE);

	expect_copy(s, 0, text, LONG_SIZE);
}

/* A paste that the host is asked for, and answers. */
static void expect_paste(struct setup *s, uint32_t selection, const char *text, size_t size)
{
	struct x_world_paste paste;

	x_world_paste(&s->world, selection ? "primary" : "clipboard", "UTF8_STRING", &paste);
	vdagent_peer_hear(&s->world, &s->root, VD_AGENT_CLIPBOARD_REQUEST);
	assert_int_equal(s->root.what.selection, selection);
	vdagent_peer_text(&s->world, &s->root, selection, text, size);
	x_world_run(&s->world, "the paste", x_world_pasted, &paste);
	assert_int_equal(paste.size, size);
	assert_memory_equal(paste.text, text, size);
	free(paste.text);
}

/* And the X server knows: a request of the host's behind it finds no other owner. */
static void host_grabs(struct setup *s, uint32_t selection, uint32_t serial)
{
	vdagent_peer_grab(&s->world, &s->root, selection, serial);
	vdagent_peer_request(&s->world, &s->root, selection);
	vdagent_peer_hear_text(&s->world, &s->root, selection, NULL, 0);
}

static void what_the_host_holds_is_pasted(void **state)
{
	struct setup *s = *state;
	_cleanup_free_ char *text = x_world_long_text(LONG_SIZE);

	host_grabs(s, 0, 0);
	host_grabs(s, 1, 0);
	expect_paste(s, 0, X_WORLD_TEXT, strlen(X_WORLD_TEXT));
	expect_paste(s, 1, "x", 1);
	host_grabs(s, 0, 1);
	expect_paste(s, 0, text, LONG_SIZE);
}

static void a_request_for_what_nobody_holds_is_answered(void **state)
{
	struct setup *s = *state;

	vdagent_peer_request(&s->world, &s->root, 0);
	vdagent_peer_hear_text(&s->world, &s->root, 0, NULL, 0);
}

static void of_two_grabs_that_crossed_the_host_s_counts(void **state)
{
	struct setup *s = *state;
	pid_t xclip = x_world_copy(&s->world, "clipboard", "mine", 4);

	expect_grab(s, 0, 0);
	host_grabs(s, 0, 0);
	expect_paste(s, 0, "the host's", 10);
	x_world_end(xclip);
}

static void a_grab_of_a_former_time_is_ignored(void **state)
{
	struct setup *s = *state;
	pid_t xclip = x_world_copy(&s->world, "clipboard", "mine", 4);

	expect_grab(s, 0, 0);
	vdagent_peer_grab(&s->world, &s->root, 0, 7);
	vdagent_peer_request(&s->world, &s->root, 0);
	vdagent_peer_hear_text(&s->world, &s->root, 0, "mine", 4);
	x_world_end(xclip);
}

static void a_program_that_gives_nothing_is_no_text_after_a_while(void **state)
{
	struct setup *s = *state;
	pid_t xclip = x_world_copy(&s->world, "clipboard", "mine", 4);

	expect_grab(s, 0, 0);
	kill(xclip, SIGSTOP);
	vdagent_peer_request(&s->world, &s->root, 0);
	/* What is said next has been read behind the request. */
	vdagent_peer_request(&s->world, &s->root, 1);
	vdagent_peer_hear_text(&s->world, &s->root, 1, NULL, 0);
	x_world_skipped += 11;
	vdagent_peer_hear_text(&s->world, &s->root, 0, NULL, 0);
	kill(xclip, SIGCONT);
	x_world_end(xclip);
}

/* It ends at once: there is no owner of the selection. */
static void expect_no_paste(struct setup *s)
{
	struct x_world_paste paste;

	x_world_paste(&s->world, "clipboard", "UTF8_STRING", &paste);
	x_world_run(&s->world, "the end of the paste", x_world_pasted, &paste);
	assert_null(paste.text);
}

static void a_root_part_that_comes_back_is_told_again(void **state)
{
	struct setup *s = *state;
	pid_t xclip = x_world_copy(&s->world, "primary", "mine", 4);

	expect_grab(s, 1, 0);
	host_grabs(s, 0, 0);
	expect_paste(s, 0, "the host's", 10);
	vdagent_peer_clear(&s->root);
	accept_part(s);
	expect_no_paste(s);
	vdagent_peer_announce(&s->world, &s->root, false, PEER_CAPS);
	expect_grab(s, 1, 0);
	x_world_end(xclip);
}

static void a_host_that_goes_holds_nothing_any_more(void **state)
{
	struct setup *s = *state;

	host_grabs(s, 0, 0);
	expect_paste(s, 0, "x", 1);
	vdagent_peer_announce(&s->world, &s->root, false, 0);
	vdagent_peer_announce(&s->world, &s->root, false, PEER_CAPS);
	vdagent_peer_request(&s->world, &s->root, 0);
	vdagent_peer_hear_text(&s->world, &s->root, 0, NULL, 0);
	expect_no_paste(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    TEST(what_a_program_copies_goes_to_the_host_when_it_is_asked_for),
	    TEST(a_long_text_goes_to_the_host),
	    TEST(what_the_host_holds_is_pasted),
	    TEST(a_request_for_what_nobody_holds_is_answered),
	    TEST(of_two_grabs_that_crossed_the_host_s_counts),
	    TEST(a_grab_of_a_former_time_is_ignored),
	    TEST(a_program_that_gives_nothing_is_no_text_after_a_while),
	    TEST(a_root_part_that_comes_back_is_told_again),
	    TEST(a_host_that_goes_holds_nothing_any_more),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
