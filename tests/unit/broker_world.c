/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/packet.h"
#include "tests/unit/broker_fakes.h"
#include "tests/unit/broker_world.h"

struct world world;

void pump(uint64_t usec)
{
	if (!world.hold)
		fake_auth_hold(false);
	assert_true(sd_event_run(world.event, usec) >= 0);
}

void settle(void)
{
	for (int idle = 0; idle < 20;) {
		if (!world.hold)
			fake_auth_hold(false);
		idle = sd_event_run(world.event, 1000) > 0 ? 0 : idle + 1;
	}
}

void start_broker(void)
{
	struct error err = {0};

	if (broker_new(world.event, world.conf, &world.broker, &err) < 0)
		fail_msg("%s", err.text);
}

void restart_broker(void)
{
	broker_free(world.broker);
	start_broker();
	settle();
}

void fill_disk(bool full)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = full ? 0 : limit.rlim_max;
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

int world_set_up(void **state)
{
	char text[256], path[128];
	struct error err = {0};

	(void)state;
	memset(&world, 0, sizeof(world));
	snprintf(world.directory, sizeof(world.directory), "/tmp/hotdesk-broker-XXXXXX");
	assert_non_null(mkdtemp(world.directory));
	snprintf(path, sizeof(path), "%s/run/broker", world.directory);
	assert_int_equal(fs_mkdir_p(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/state/broker", world.directory);
	assert_int_equal(fs_mkdir_p(path, 0700), 0);
	snprintf(text, sizeof(text), "[paths]\nruntime-dir = %s/run\nstate-dir = %s/state\n", world.directory,
		 world.directory);
	assert_int_equal(conf_parse("test", text, strlen(text), &world.conf, &err), 0);
	assert_true(sd_event_new(&world.event) >= 0);
	fakes_new(world.event);
	start_broker();
	return 0;
}

int world_tear_down(void **state)
{
	(void)state;
	fill_disk(false);
	for (size_t i = 0; i < world.n_streams; i++)
		close(world.streams[i]);
	broker_free(world.broker);
	fakes_free();
	sd_event_unref(world.event);
	conf_free(world.conf);
	return fs_remove_tree(world.directory);
}

void make_pool(enum pool_kind kind, uint32_t max, uint32_t min_spare)
{
	struct pool pool = {.name = "desk",
			    .image = "tiny",
			    .kind = kind,
			    .memory_mib = 256,
			    .vcpus = 1,
			    .max = max,
			    .min_spare = min_spare};
	struct entitlement entitlement = {.pool = "desk", .kind = ENTITLED_GROUP, .name = "staff"};

	assert_int_equal(store_pool_insert(world.broker->store, &pool), 0);
	assert_int_equal(store_entitlement_insert(world.broker->store, &entitlement), 0);
	broker_pools_changed(world.broker);
	settle();
}

int knock(const char *name)
{
	struct gate_login login = {.version = GATE_API_VERSION, .peer = "192.0.2.1 4711"};
	_cleanup_close_ int password = memfd_create("password", MFD_CLOEXEC);
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/run/broker/gate.sock", world.directory);
	fd = packet_connect(path);
	assert_true(fd >= 0);
	snprintf(login.name, sizeof(login.name), "%s", name);
	assert_int_equal(packet_send(fd, &login, sizeof(login), &password, 1), 0);
	assert_int_equal(fd_set_nonblock(fd, 1), 0);
	return fd;
}

int answer_of(int gate, struct gate_result *ret)
{
	int stream = -1, r = -EAGAIN;
	size_t n = 0;

	until((r = packet_recv(gate, ret, sizeof(*ret), &stream, 1, &n)) != -EAGAIN);
	assert_int_equal(r, 1);
	assert_int_equal(ret->status == GATE_OK, n == 1);
	close(gate);
	return stream;
}

void log_in(const char *name)
{
	struct gate_result result;

	world.streams[world.n_streams++] = answer_of(knock(name), &result);
	assert_int_equal(result.status, GATE_OK);
	settle();
}

struct desktop *alice_in_pool(enum pool_kind kind, uint32_t max)
{
	make_pool(kind, max, 0);
	log_in("alice");
	return first_desktop();
}

struct fake_process *display(uint32_t slot)
{
	return fake_process(SPAWN_DISPLAY, slot);
}

void assert_session_goes_on(const struct desktop *desktop, int64_t session)
{
	assert_int_equal(desktop->session.id, session);
	assert_int_equal(desktop->session.state, SESSION_ACTIVE);
}

struct desktop *first_desktop(void)
{
	return desktops_first(world.broker->desktops);
}

size_t count_desktops(void)
{
	struct desktop_row *rows = NULL;
	size_t n = 0;

	assert_int_equal(store_desktops(world.broker->store, NULL, &rows, &n), 0);
	free(rows);
	return n;
}

size_t count_viewers(void)
{
	struct viewer_row *rows = NULL;
	size_t n = 0;

	assert_int_equal(store_viewers(world.broker->store, &rows, &n), 0);
	free(rows);
	return n;
}
