/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the broker does for the sound of a desktop: its PulseAudio, and who gets the socket. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/packet.h"
#include "tests/unit/broker_fakes.h"
#include "tests/unit/broker_world.h"

#define LINGER_USEC UINT64_C(5500000) /* more than a daemon is kept that nobody hears */

static struct fake_process *screen(void)
{
	return fake_process(SPAWN_SCREEN, first_desktop()->row.slot);
}

static struct fake_process *pulseaudio(void)
{
	return fake_process(SPAWN_SOUND, first_desktop()->row.slot);
}

static void allow(bool sound)
{
	struct pool pool;

	assert_int_equal(store_pool_get(world.broker->store, "desk", &pool), 0);
	pool.sound = sound;
	assert_int_equal(store_pool_update(world.broker->store, &pool), 0);
	broker_pools_changed(world.broker);
	settle();
}

static void make_pool_with_sound(bool sound)
{
	make_pool(POOL_FLOATING, 2, 0);
	allow(sound);
}

static void alice_listens(void)
{
	make_pool_with_sound(true);
	log_in("alice");
	until(display(0)->sound);
	fake_display_listens(0, true);
	until(pulseaudio()->alive && screen()->sound);
}

static ino_t inode(int fd)
{
	struct stat info;

	assert_int_equal(fstat(fd, &info), 0);
	assert_true(S_ISSOCK(info.st_mode));
	return info.st_ino;
}

/* What was handed over leads to the daemon's socket. */
static void assert_leads_to_the_daemon(int socket_fd)
{
	_cleanup_close_ int client = -1, server = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", socket_fd);
	client = socket_connect(path, SOCK_STREAM);
	assert_true(client >= 0);
	server = accept(fake_sound_socket(first_desktop()->row.slot), NULL, NULL);
	assert_true(server >= 0);
	assert_int_equal(write(client, "x", 1), 1);
	assert_int_equal(read(server, (char[1]){0}, 1), 1);
}

static void a_daemon_runs_once_a_viewer_listens(void **state)
{
	char path[128];
	struct stat info;

	(void)state;
	make_pool_with_sound(true);
	log_in("alice");
	until(display(0)->sound);
	assert_int_equal(fake_processes(SPAWN_SOUND), 0);
	assert_false(screen()->sound);
	fake_display_listens(0, true);
	until(pulseaudio()->alive && screen()->sound);
	assert_string_equal(pulseaudio()->tag, first_desktop()->row.id);
	assert_non_null(strstr(pulseaudio()->arguments, " -n "));
	assert_non_null(strstr(pulseaudio()->arguments, "module-null-sink sink_name=vm "));
	assert_leads_to_the_daemon(display(0)->sound_fd);
	assert_leads_to_the_daemon(screen()->sound_fd);
	assert_int_equal(display(0)->n_sounds, 1);
	/* Nobody else comes by it. */
	snprintf(path, sizeof(path), "%s/run/broker/sound", world.directory);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0700);
}

/* The name that the daemon is told has to be the one that the socket has of itself. */
static void the_daemon_recognizes_its_socket(void **state)
{
	struct sockaddr_un address = {0};
	socklen_t length = sizeof(address);
	char wanted[256];

	(void)state;
	alice_listens();
	assert_int_equal(
	    getsockname(fake_sound_socket(first_desktop()->row.slot), (struct sockaddr *)&address, &length), 0);
	snprintf(wanted, sizeof(wanted), "module-native-protocol-unix socket=\"%s\" ", address.sun_path);
	assert_non_null(strstr(pulseaudio()->arguments, wanted));
}

static void wait_longer_than_it_lingers(void)
{
	uint64_t end = clock_usec() + LINGER_USEC;

	while (clock_usec() < end)
		pump(1000);
}

/* Also over a restart of the broker, which learns it from the displays. */
static void it_lives_while_somebody_listens(void **state)
{
	(void)state;
	alice_listens();
	log_in("alice");
	until(display(1)->sound);
	fake_display_listens(0, false);
	settle();
	fake_display_listens(1, true);
	settle();
	restart_broker();
	until(display(1)->n_sounds == 2);
	wait_longer_than_it_lingers();
	assert_true(pulseaudio()->alive && screen()->sound);
	assert_int_equal(pulseaudio()->generation, 1);
	assert_leads_to_the_daemon(display(1)->sound_fd);
	/* The last that listened is gone, the other viewer stays. */
	fake_kill(SPAWN_DISPLAY, 1);
	until(!pulseaudio()->alive);
	until(!screen()->sound);
	assert_true(display(0)->source);
	/* And again. */
	fake_display_listens(0, true);
	until(pulseaudio()->alive && screen()->sound);
	assert_leads_to_the_daemon(display(0)->sound_fd);
}

static void a_killed_daemon_is_found_where_it_was(void **state)
{
	unsigned n_sounds;

	(void)state;
	alice_listens();
	n_sounds = screen()->n_sounds;
	for (int generation = 2; generation < 5; generation++) {
		fake_kill(SPAWN_SOUND, first_desktop()->row.slot);
		until(pulseaudio()->alive && pulseaudio()->generation == generation);
		assert_leads_to_the_daemon(display(0)->sound_fd);
		assert_leads_to_the_daemon(screen()->sound_fd);
	}
	assert_int_equal(display(0)->n_sounds, 1);
	assert_int_equal(screen()->n_sounds, n_sounds);
}

static void a_daemon_that_does_not_start_is_tried_again(void **state)
{
	(void)state;
	fake_sound_refuses(3, 2);
	alice_listens();
	assert_leads_to_the_daemon(screen()->sound_fd);
	assert_true(display(0)->source);
}

static void a_silent_pool_has_none(void **state)
{
	(void)state;
	make_pool_with_sound(false);
	log_in("alice");
	/* It says so all the same. */
	fake_display_listens(0, true);
	settle();
	assert_int_equal(display(0)->n_sounds, 0);
	assert_int_equal(fake_processes(SPAWN_SOUND), 0);
}

static void what_a_pool_allows_is_changed_under_its_viewers(void **state)
{
	(void)state;
	alice_listens();
	broker_pools_changed(world.broker);
	settle();
	assert_int_equal(display(0)->n_sounds, 1);
	allow(false);
	until(!pulseaudio()->alive && !display(0)->sound && !screen()->sound);
	assert_int_equal(display(0)->n_sounds, 2);
	fake_display_listens(0, true);
	settle();
	assert_int_equal(fake_processes(SPAWN_SOUND), 0);
	allow(true);
	until(pulseaudio()->alive && display(0)->sound && screen()->sound);
	assert_leads_to_the_daemon(display(0)->sound_fd);
}

static void without_pulseaudio_desktops_are_silent(void **state)
{
	(void)state;
	fake_no_pulseaudio();
	make_pool_with_sound(true);
	log_in("alice");
	assert_true(display(0)->source);
	assert_int_equal(display(0)->n_sounds, 0);
}

static void a_new_screen_plays_into_the_same_daemon(void **state)
{
	(void)state;
	alice_listens();
	fake_kill(SPAWN_SCREEN, first_desktop()->row.slot);
	until(screen()->alive && screen()->generation == 2 && screen()->sound);
	assert_int_equal(pulseaudio()->generation, 1);
	assert_leads_to_the_daemon(screen()->sound_fd);
}

/* Its socket went with the broker that made it, so all get another one. */
static void a_daemon_killed_behind_a_restarted_broker_has_a_new_socket(void **state)
{
	ino_t old;

	(void)state;
	alice_listens();
	old = inode(display(0)->sound_fd);
	restart_broker();
	until(display(0)->n_sounds == 2);
	assert_int_equal(inode(display(0)->sound_fd), old);
	fake_kill(SPAWN_SOUND, first_desktop()->row.slot);
	until(pulseaudio()->alive && display(0)->n_sounds == 3);
	until(inode(screen()->sound_fd) == inode(display(0)->sound_fd));
	assert_int_not_equal(inode(display(0)->sound_fd), old);
	assert_leads_to_the_daemon(display(0)->sound_fd);
}

static void a_restarted_broker_starts_what_has_ended_meanwhile(void **state)
{
	uint32_t slot;

	(void)state;
	alice_listens();
	slot = first_desktop()->row.slot;
	broker_free(world.broker);
	fake_kill(SPAWN_SOUND, slot);
	start_broker();
	until(pulseaudio()->alive && display(0)->n_sounds == 2);
	until(screen()->sound && inode(screen()->sound_fd) == inode(display(0)->sound_fd));
	assert_leads_to_the_daemon(display(0)->sound_fd);
}

static void it_ends_with_its_desktop(void **state)
{
	(void)state;
	alice_listens();
	fake_host_stopped(first_desktop()->row.id, "guest-shutdown");
	until(display(0)->closed);
	fake_kill(SPAWN_DISPLAY, 0);
	until(count_desktops() == 0);
	settle();
	assert_int_equal(fake_processes(SPAWN_SOUND), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(a_daemon_runs_once_a_viewer_listens),
	    CASE(the_daemon_recognizes_its_socket),
	    CASE(it_lives_while_somebody_listens),
	    CASE(a_killed_daemon_is_found_where_it_was),
	    CASE(a_daemon_that_does_not_start_is_tried_again),
	    CASE(a_silent_pool_has_none),
	    CASE(what_a_pool_allows_is_changed_under_its_viewers),
	    CASE(without_pulseaudio_desktops_are_silent),
	    CASE(a_new_screen_plays_into_the_same_daemon),
	    CASE(a_daemon_killed_behind_a_restarted_broker_has_a_new_socket),
	    CASE(a_restarted_broker_starts_what_has_ended_meanwhile),
	    CASE(it_ends_with_its_desktop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
