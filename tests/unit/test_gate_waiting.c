/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/gate/waiting.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct address_key key_of(const char *text)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&address;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		address.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		address.ss_family = AF_INET6;
	return address_key(&address);
}

static void assert_same(const char *a, const char *b, bool same)
{
	struct address_key key_a = key_of(a), key_b = key_of(b);

	assert_int_equal(memcmp(&key_a, &key_b, sizeof(key_a)) == 0, same);
}

static struct waiting_socket socket_of(const char *address, long long deadline)
{
	return (struct waiting_socket){.fd = dup(0), .key = key_of(address), .deadline = deadline};
}

static void addresses_are_told_apart(void **state)
{
	(void)state;
	assert_same("192.0.2.1", "192.0.2.1", true);
	assert_same("192.0.2.1", "192.0.2.2", false);
	assert_same("::ffff:192.0.2.1", "192.0.2.1", true);
	assert_same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true);
	assert_same("2001:db8:1:2::1", "2001:db8:1:3::1", false);
	assert_same("::", "0.0.0.0", false);
}

static void caps_count_sockets_and_processes(void **state)
{
	const struct waiting_limits limits = {.total = 4, .per_address = 2, .soft = 4};
	struct waiting_socket one = socket_of("192.0.2.1", 10), other = socket_of("192.0.2.2", 10);
	struct waiting waiting;

	(void)state;
	assert_int_equal(waiting_init(&waiting, &limits), 0);
	waiting_add(&waiting, &one, 0);
	waiting_process_started(&waiting, 100, one.key);
	assert_non_null(strstr(waiting_refusal(&waiting, one.key), "per-address"));
	assert_null(waiting_refusal(&waiting, other.key));
	waiting_process_started(&waiting, 101, other.key);
	waiting_add(&waiting, &other, 0);
	assert_non_null(strstr(waiting_refusal(&waiting, key_of("192.0.2.3")), "max-connections"));
	waiting_process_ended(&waiting, 100);
	assert_null(waiting_refusal(&waiting, one.key));
	waiting_process_ended(&waiting, 4711);
	assert_int_equal(waiting.n_processes, 1);
	waiting_clear(&waiting);
}

static void above_the_soft_cap_a_random_one_is_dropped(void **state)
{
	const struct waiting_limits limits = {.total = 100, .per_address = 100, .soft = 4};
	struct waiting waiting;

	(void)state;
	assert_int_equal(waiting_init(&waiting, &limits), 0);
	for (long long i = 0; i < 20; i++) {
		struct waiting_socket socket = socket_of("192.0.2.1", i);

		waiting_add(&waiting, &socket, (uint32_t)(i * 7));
		assert_int_equal(waiting.sockets[waiting.n_sockets - 1].deadline, i);
		assert_true(waiting.n_sockets <= 4);
	}
	assert_int_equal(waiting.n_sockets, 4);
	waiting_clear(&waiting);
}

static void overdue_ones_are_closed(void **state)
{
	const struct waiting_limits limits = {.total = 100, .per_address = 100, .soft = 100};
	struct waiting waiting;
	int last = -1;

	(void)state;
	assert_int_equal(waiting_init(&waiting, &limits), 0);
	for (long long i = 0; i < 10; i++) {
		struct waiting_socket socket = socket_of("192.0.2.1", i % 2 ? 1000 : 10);

		waiting_add(&waiting, &socket, 0);
		last = socket.fd;
	}
	assert_int_equal(waiting_expire(&waiting, 9), 0);
	assert_int_equal(waiting_expire(&waiting, 10), 5);
	assert_int_equal(waiting.n_sockets, 5);
	for (size_t i = 0; i < waiting.n_sockets; i++)
		assert_int_equal(waiting.sockets[i].deadline, 1000);
	waiting_clear(&waiting);
	assert_int_equal(close(last), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_are_told_apart),
	    cmocka_unit_test(caps_count_sockets_and_processes),
	    cmocka_unit_test(above_the_soft_cap_a_random_one_is_dropped),
	    cmocka_unit_test(overdue_ones_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
