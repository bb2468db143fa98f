/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a desktop becomes by what the agent in it says: a guest of the test's own, no QEMU. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/fs.h"
#include "common/packet.h"
#include "host/json.h"
#include "host/vm_internal.h"
#include "tests/unit/agent_guest.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ALL                                                                                                            \
	"\"size\",\"sign-in\",\"log-off\",\"lock\",\"power\",\"time\",\"hostname\",\"machine-id\",\"of a later one\"," \
	"\"later\""
#define ACTIVE "{\"type\":\"session\",\"state\":\"active\",\"user\":\"alice\",\"uid\":2001}"

struct world {
	struct agent_guest guest;
	struct vm_env env;
	struct vm *vm;
	struct json_object *told; /* the last Changed */
	unsigned n_told;
};

static void on_changed(struct vm *vm, void *userdata)
{
	struct world *world = userdata;

	world->n_told++;
	json_object_put(world->told);
	world->told = vm_json(vm);
}

static int setup(void **state)
{
	static const struct vm_record record = {.id = "desk-1", .image = "tiny", .image_version = 1, .boot = 4};
	struct world *world = calloc(1, sizeof(*world));
	struct vm_env *env = &world->env;
	char path[PATH_MAX];

	*state = world;
	agent_guest_skipped = 0;
	if (agent_guest_new(&world->guest) < 0 || jobs_new(world->guest.event, 1, &env->jobs) < 0)
		return -1;
	env->event = world->guest.event;
	env->ready_usec = 600 * UINT64_C(1000000);
	env->changed = on_changed;
	env->userdata = world;
	snprintf(path, sizeof(path), "%s/spawn.sock", world->guest.directory);
	if (spawn_client_new(env->event, path, &env->spawn) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/desk-1", world->guest.directory);
	if (fs_mkdir_p(path, 0700) < 0)
		return -1;
	snprintf(env->dirs.runtime, sizeof(env->dirs.runtime), "%s", world->guest.directory);
	snprintf(env->dirs.state, sizeof(env->dirs.state), "%s", world->guest.directory);
	if (vm_new(env, &record, true, &world->vm) < 0 || vm_agent_up(world->vm) < 0)
		return -1;
	vm_set_state(world->vm, VM_BOOTING);
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	jobs_free(world->env.jobs);
	vm_free(world->vm);
	spawn_client_free(world->env.spawn);
	json_object_put(world->told);
	agent_guest_clear(&world->guest);
	free(world);
	return 0;
}

/* session: an object's text, or NULL. */
static void hello(struct world *world, const char *capabilities, bool ready, const char *session)
{
	char line[1024];

	snprintf(line, sizeof(line),
		 "{\"type\":\"hello\",\"version\":1,\"agent\":\"0.1.0\",\"nonce\":\"%s\",\"os\":\"Debian 12\","
		 "\"capabilities\":[%s],\"ready\":%s%s%s}\n",
		 world->guest.nonce, capabilities, ready ? "true" : "false", session ? ",\"session\":" : "",
		 session ? session : "");
	agent_guest_say(&world->guest, line);
}

static void wait_for(struct world *world, const char *state)
{
	for (int i = 0; i < 2000 && strcmp(json_text(world->told, "state"), state) != 0; i++)
		agent_guest_run(&world->guest);
	assert_string_equal(json_text(world->told, "state"), state);
}

/* "" where nobody is signed in. */
static const char *session_state(struct world *world)
{
	struct json_object *session = json_member(world->told, "session", json_type_object);

	return session ? json_text(session, "state") : "";
}

static void wait_for_session(struct world *world, const char *state)
{
	for (int i = 0; i < 200 && strcmp(session_state(world), state) != 0; i++)
		agent_guest_run(&world->guest);
	assert_string_equal(session_state(world), state);
}

static void what_an_agent_can_do_and_lacks_is_told(void **state)
{
	struct world *world = *state;
	struct json_object *agent;

	agent_guest_open(&world->guest);
	hello(world, "\"size\",\"sign-in\"", true, NULL);
	assert_string_equal(json_text(world->told, "state"), "ready");
	assert_true(json_flag(world->told, "sign_in"));
	agent = json_member(world->told, "agent", json_type_object);
	assert_string_equal(json_text(agent, "os"), "Debian 12");
	assert_string_equal(json_object_to_json_string_ext(json_member(agent, "missing", json_type_array), 0),
			    "[\"log-off\",\"lock\",\"power\",\"time\",\"hostname\",\"machine-id\"]");
	assert_string_equal(session_state(world), "");
}

static void a_guest_is_told_time_and_name_once_in_each_boot(void **state)
{
	struct world *world = *state;
	char line[1024];

	agent_guest_open(&world->guest);
	hello(world, ALL, false, NULL);
	agent_guest_hear(&world->guest, line, sizeof(line));
	assert_non_null(strstr(line, "{\"type\":\"set-time\",\"id\":1,\"time\":"));
	assert_non_null(strstr(line, "{\"type\":\"set-hostname\",\"id\":2,\"hostname\":\"desk-1\"}\n"));
	hello(world, ALL, true, NULL);
	assert_int_equal(vm_agent_call(world->vm, "lock", NULL, NULL, NULL, NULL), 0);
	agent_guest_hear(&world->guest, line, sizeof(line));
	assert_string_equal(line, "{\"type\":\"lock\",\"id\":3}\n");
	agent_guest_say(&world->guest, "{\"type\":\"leaving\",\"how\":\"reboot\"}\n");
	hello(world, ALL, false, NULL);
	agent_guest_hear(&world->guest, line, sizeof(line));
	assert_non_null(strstr(line, "set-hostname"));
}

static void a_session_is_told_from_its_start_to_its_end(void **state)
{
	struct world *world = *state;
	struct json_object *session, *person;

	agent_guest_open(&world->guest);
	agent_guest_say(&world->guest, ACTIVE "\n");
	hello(world, ALL, true, NULL);
	/* What was said before the hello does not count. */
	assert_string_equal(session_state(world), "");
	agent_guest_say(&world->guest, ACTIVE "\n");
	wait_for_session(world, "active");
	session = json_member(world->told, "session", json_type_object);
	assert_string_equal(json_text(session, "user"), "alice");
	assert_int_equal(json_number(session, "uid", 0), 2001);
	agent_guest_say(&world->guest, "{\"type\":\"session\",\"state\":\"ended\",\"uid\":2001,\"reason\":\"over\"}\n");
	wait_for_session(world, "ended");
	session = json_member(world->told, "session", json_type_object);
	assert_string_equal(json_text(session, "reason"), "over");
	/* The end of the last one is not taken for the end of the next one. */
	person = json_tokener_parse("{\"name\":\"bob\",\"uid\":2002,\"gid\":100,\"full_name\":\"\",\"groups\":[]}");
	assert_int_equal(vm_agent_call(world->vm, "sign-in", person, NULL, NULL, NULL), 0);
	json_object_put(person);
	vm_changed(world->vm);
	assert_string_equal(session_state(world), "");
}

static void a_reboot_from_inside_is_a_new_boot(void **state)
{
	struct world *world = *state;

	agent_guest_open(&world->guest);
	hello(world, ALL, true, ACTIVE);
	assert_string_equal(session_state(world), "active");
	vm_rebooted(world->vm);
	assert_string_equal(json_text(world->told, "state"), "booting");
	assert_int_equal(json_number(world->told, "boot", 0), 5);
	assert_string_equal(session_state(world), "");
	/* Whatever it says, it is not followed faster than a guest can start. */
	hello(world, ALL, true, NULL);
	assert_string_equal(json_text(world->told, "state"), "booting");
	agent_guest_say(&world->guest, "{\"type\":\"leaving\",\"how\":\"reboot\"}\n");
	assert_int_equal(json_number(world->told, "boot", 0), 5);
	agent_guest_skipped += 4;
	wait_for(world, "ready");
	assert_true(json_flag(world->told, "sign_in"));
	agent_guest_say(&world->guest, "{\"type\":\"leaving\",\"how\":\"power-off\"}\n");
	assert_string_equal(json_text(world->told, "state"), "ready");
	agent_guest_say(&world->guest, "{\"type\":\"leaving\",\"how\":\"reboot\"}\n");
	assert_string_equal(json_text(world->told, "state"), "booting");
	assert_int_equal(json_number(world->told, "boot", 0), 6);
}

static void a_boot_that_nobody_saw_is_known_by_the_hello(void **state)
{
	struct world *world = *state;

	agent_guest_open(&world->guest);
	hello(world, ALL, true, ACTIVE);
	/* An agent that was restarted beside its session. */
	hello(world, ALL, false, ACTIVE);
	assert_string_equal(json_text(world->told, "state"), "ready");
	hello(world, ALL, false, NULL);
	assert_string_equal(json_text(world->told, "state"), "booting");
	assert_int_equal(json_number(world->told, "boot", 0), 5);
}

static void an_agent_that_signs_nobody_in_is_served_as_before(void **state)
{
	struct world *world = *state;

	agent_guest_open(&world->guest);
	hello(world, "\"size\"", false, NULL);
	agent_guest_say(&world->guest, "{\"type\":\"ready\"}\n");
	assert_string_equal(json_text(world->told, "state"), "ready");
	assert_false(json_flag(world->told, "sign_in"));
	hello(world, "\"size\"", false, NULL);
	agent_guest_say(&world->guest, "{\"type\":\"leaving\",\"how\":\"reboot\"}\n");
	vm_rebooted(world->vm);
	assert_string_equal(json_text(world->told, "state"), "ready");
	assert_int_equal(json_number(world->told, "boot", 0), 4);
}

static void an_agent_that_comes_late_signs_in_all_the_same(void **state)
{
	struct world *world = *state;

	agent_guest_open(&world->guest);
	agent_guest_skipped += 601;
	wait_for(world, "ready");
	assert_false(json_flag(world->told, "sign_in"));
	hello(world, ALL, false, NULL);
	assert_string_equal(json_text(world->told, "state"), "ready");
	assert_false(json_flag(world->told, "sign_in"));
	agent_guest_say(&world->guest, "{\"type\":\"ready\"}\n");
	for (int i = 0; i < 20 && !json_flag(world->told, "sign_in"); i++)
		agent_guest_run(&world->guest);
	assert_string_equal(json_text(world->told, "state"), "ready");
	assert_true(json_flag(world->told, "sign_in"));
}

static void a_guest_that_changes_its_mind_all_the_time_is_passed_on_seldom(void **state)
{
	static const char pair[] = "{\"type\":\"session\",\"state\":\"locked\",\"uid\":2001}\n" ACTIVE "\n";
	static char burst[40 * sizeof(pair)];
	struct world *world = *state;
	unsigned before;

	agent_guest_open(&world->guest);
	hello(world, ALL, true, NULL);
	before = world->n_told;
	for (size_t i = 0; i < 40; i++)
		memcpy(burst + i * (sizeof(pair) - 1), pair, sizeof(pair));
	agent_guest_say(&world->guest, burst);
	wait_for_session(world, "active");
	assert_in_range(world->n_told - before, 1, 20);
}

static void on_done(int r, const struct error *err, void *userdata)
{
	(void)err;
	*(int *)userdata = r;
}

static void a_request_ends_with_its_desktop(void **state)
{
	struct world *world = *state;
	struct error err;
	int r = 1;

	agent_guest_open(&world->guest);
	hello(world, ALL, true, NULL);
	assert_int_equal(vm_agent_call(world->vm, "log-off", NULL, on_done, &r, &err), 0);
	vm_agent_down(world->vm);
	assert_int_equal(r, -ECONNRESET);
	assert_int_equal(vm_agent_call(world->vm, "log-off", NULL, on_done, &r, &err), -ENOTCONN);
}

/* Accepts it and reads what is sent through fd, which is closed. */
static void assert_reaches(int listener, int fd)
{
	int peer = accept(listener, NULL, NULL);
	char byte = 0;

	assert_true(fd >= 0 && peer >= 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(peer, &byte, 1, 0), 1);
	assert_int_equal(byte, 'x');
	close(peer);
	close(fd);
}

static void the_vdagent_port_is_connected_anew_each_time_and_never_waited_for(void **state)
{
	static const struct qmp_ops nothing;
	struct world *world = *state;
	char path[PATH_MAX];
	int fds[4], listener, n = 0;
	struct error err;

	assert_int_equal(vm_socket_path(&world->env.dirs, "desk-1", "vdagent", path), 0);
	listener = socket_listen(path, SOCK_STREAM, 1, 0600);
	assert_true(listener >= 0);
	assert_int_equal(vm_open_vdagent(world->vm, &err), -EAGAIN);
	assert_non_null(strstr(err.text, "does not run"));
	assert_int_equal(qmp_new(world->env.event, "qmp.sock", &nothing, world->vm, &world->vm->qmp), 0);
	assert_reaches(listener, vm_open_vdagent(world->vm, &err));
	assert_reaches(listener, vm_open_vdagent(world->vm, &err));
	/* As many wait as there is room for. */
	while (n < 4 && (fds[n] = vm_open_vdagent(world->vm, &err)) >= 0)
		n++;
	assert_in_range(n, 1, 3);
	assert_int_equal(fds[n], -EAGAIN);
	while (n > 0)
		close(fds[--n]);
	close(listener);
	assert_int_equal(vm_open_vdagent(world->vm, &err), -ECONNREFUSED);
	assert_non_null(strstr(err.text, "desk-1"));
	qmp_free(world->vm->qmp);
	world->vm->qmp = NULL;
}

#define in_world(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_world(what_an_agent_can_do_and_lacks_is_told),
	    in_world(a_guest_is_told_time_and_name_once_in_each_boot),
	    in_world(a_session_is_told_from_its_start_to_its_end),
	    in_world(a_reboot_from_inside_is_a_new_boot),
	    in_world(a_boot_that_nobody_saw_is_known_by_the_hello),
	    in_world(an_agent_that_signs_nobody_in_is_served_as_before),
	    in_world(an_agent_that_comes_late_signs_in_all_the_same),
	    in_world(a_guest_that_changes_its_mind_all_the_time_is_passed_on_seldom),
	    in_world(a_request_ends_with_its_desktop),
	    in_world(the_vdagent_port_is_connected_anew_each_time_and_never_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
