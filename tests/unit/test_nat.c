/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The nftables table behind the desktops' user network, loaded into a network namespace of the test's own. */
#include "common/cleanup.h"
#include "host/spawn/nat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/wait.h>

#define VM_UID_FIRST 300000
#define VM_UID_LAST 319999

static bool own_network;

static void test_rules_name_only_real_resolvers(void **state)
{
	_cleanup_free_ char *rules = nat_rules(300000, 319999,
					       "# nameserver 1.2.3.4\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n"
					       "nameserver 10.0.0.1; flush ruleset\nnameserver }\noptions edns0");

	(void)state;
	assert_non_null(rules);
	assert_non_null(strstr(rules, "ip daddr 192.0.2.53 "));
	assert_non_null(strstr(rules, "ip6 daddr 2001:db8::53 "));
	assert_null(strstr(rules, "1.2.3.4"));
	assert_null(strstr(rules, "flush"));
	assert_null(strstr(rules, "10.0.0.1"));
}

/* 0, or the errno of a connect to the loopback listener as another uid. */
static int connect_as(uid_t uid, const struct sockaddr_in *address)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct timeval limit = {.tv_sec = 2};
		int fd;

		if (setresuid(uid, uid, uid) < 0)
			_exit(255);
		/* A socket is its maker's for ever. */
		fd = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		_exit(connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void test_desktops_cannot_reach_loopback(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	struct error err = {0};
	int listener;

	(void)state;
	if (!own_network || nat_load(VM_UID_FIRST, VM_UID_LAST, &err) < 0) {
		print_message("%s\n", own_network ? err.text : "needs root and network namespaces");
		skip();
	}
	/* A second time: what an earlier hotdesk-spawn loaded is replaced. */
	assert_int_equal(nat_load(VM_UID_FIRST, VM_UID_LAST, &err), 0);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(connect_as(VM_UID_FIRST - 1, &address), 0);
	assert_int_not_equal(connect_as(VM_UID_FIRST, &address), 0);
	assert_int_not_equal(connect_as(VM_UID_LAST, &address), 0);
	assert_int_equal(connect_as(VM_UID_LAST + 1, &address), 0);
	close(listener);
}

static void enter_own_network(void)
{
	struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd;

	if (getuid() != 0 || unshare(CLONE_NEWNET) < 0)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	own_network = ioctl(fd, SIOCSIFFLAGS, &loopback) == 0;
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rules_name_only_real_resolvers),
	    cmocka_unit_test(test_desktops_cannot_reach_loopback),
	};

	enter_own_network();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
