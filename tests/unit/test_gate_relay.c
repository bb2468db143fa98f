/* SPDX-License-Identifier: GPL-3.0-or-later */
/* relay_run in a thread of its own between a TLS client and a stream that the test holds the other ends of. */
#include "common/cleanup.h"
#include "common/fs.h"
#include "display/gate/certificate.h"
#include "display/gate/relay.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define BIG ((size_t)1 << 20)

struct ends {
	SSL *viewer, *gate;
	int viewer_fd, gate_fd;    /* both ends of the "network" */
	int display_fd, stream_fd; /* both ends of the stream */
	pthread_t thread;
	int result;
};

static SSL_CTX *server_context, *client_context;

static int make_contexts(void **state)
{
	char directory[] = "/tmp/hotdesk-relay-XXXXXX";
	struct certificate certificate = {0};
	struct error err;

	(void)state;
	if (!mkdtemp(directory) || certificate_own(directory, "", &certificate, &err) < 0)
		return -1;
	server_context = certificate_context(&certificate, &err);
	client_context = SSL_CTX_new(TLS_client_method());
	certificate_clear(&certificate);
	return fs_remove_tree(directory) < 0 || !server_context || !client_context ? -1 : 0;
}

static int free_contexts(void **state)
{
	(void)state;
	SSL_CTX_free(server_context);
	SSL_CTX_free(client_context);
	return 0;
}

static void *run(void *userdata)
{
	struct ends *ends = userdata;

	if (SSL_accept(ends->gate) != 1)
		return NULL;
	fd_set_nonblock(ends->gate_fd, 1);
	fd_set_nonblock(ends->stream_fd, 1);
	ends->result = relay_run(ends->gate, ends->gate_fd, ends->stream_fd);
	shutdown(ends->gate_fd, SHUT_RDWR);
	shutdown(ends->stream_fd, SHUT_RDWR);
	return NULL;
}

static void ends_open(struct ends *ends)
{
	int pair[2];

	*ends = (struct ends){.result = 1};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ends->viewer_fd = pair[0];
	ends->gate_fd = pair[1];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ends->display_fd = pair[0];
	ends->stream_fd = pair[1];
	ends->viewer = SSL_new(client_context);
	ends->gate = SSL_new(server_context);
	SSL_set_fd(ends->viewer, ends->viewer_fd);
	SSL_set_fd(ends->gate, ends->gate_fd);
	assert_int_equal(pthread_create(&ends->thread, NULL, run, ends), 0);
	assert_int_equal(SSL_connect(ends->viewer), 1);
}

/* Waits for the relay's end. */
static int ends_close(struct ends *ends)
{
	const int fds[] = {ends->viewer_fd, ends->gate_fd, ends->display_fd, ends->stream_fd};

	assert_int_equal(pthread_join(ends->thread, NULL), 0);
	SSL_free(ends->viewer);
	SSL_free(ends->gate);
	for (size_t i = 0; i < 4; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return ends->result;
}

static void read_display(struct ends *ends, char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = read(ends->display_fd, data, size);

		assert_true(n > 0);
		data += n;
		size -= (size_t)n;
	}
}

static void read_viewer(struct ends *ends, char *data, size_t size)
{
	while (size > 0) {
		int n = SSL_read(ends->viewer, data, (int)size);

		assert_true(n > 0);
		data += n;
		size -= (size_t)n;
	}
}

static char *pattern(size_t size)
{
	char *data = malloc(size);

	assert_non_null(data);
	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 31 + i / 251);
	return data;
}

static void bytes_pass_both_ways(void **state)
{
	char read[16];
	struct ends ends;

	(void)state;
	ends_open(&ends);
	assert_int_equal(SSL_write(ends.viewer, "from viewer", 11), 11);
	read_display(&ends, read, 11);
	assert_memory_equal(read, "from viewer", 11);
	assert_int_equal(write(ends.display_fd, "from display", 12), 12);
	read_viewer(&ends, read, 12);
	assert_memory_equal(read, "from display", 12);
	SSL_shutdown(ends.viewer);
	assert_int_equal(ends_close(&ends), -ECONNRESET);
}

/* Fills the way from the display until nothing more goes; returns how much went. */
static size_t fill(struct ends *ends, const char *data, size_t size)
{
	struct pollfd poll_fd = {.fd = ends->display_fd, .events = POLLOUT};
	size_t sent = 0;

	fd_set_nonblock(ends->display_fd, 1);
	while (sent < size && poll(&poll_fd, 1, 300) > 0) {
		ssize_t n = write(ends->display_fd, data + sent, size - sent);

		if (n > 0)
			sent += (size_t)n;
	}
	fd_set_nonblock(ends->display_fd, 0);
	return sent;
}

static void a_viewer_that_does_not_read_stops_the_display_but_not_itself(void **state)
{
	_cleanup_free_ char *data = pattern(4 * BIG), *got = malloc(4 * BIG);
	struct ends ends;
	size_t sent;
	char key[8];

	(void)state;
	ends_open(&ends);
	sent = fill(&ends, data, 4 * BIG);
	assert_in_range(sent, RELAY_BUFFER, 3 * BIG);
	assert_int_equal(SSL_write(ends.viewer, "key", 3), 3);
	read_display(&ends, key, 3);
	assert_memory_equal(key, "key", 3);
	read_viewer(&ends, got, sent);
	assert_memory_equal(got, data, sent);
	close(ends.display_fd);
	ends.display_fd = -1;
	assert_int_equal(ends_close(&ends), 0);
}

static void what_the_display_left_is_delivered_though_it_hears_no_more(void **state)
{
	_cleanup_free_ char *data = pattern(4 * BIG), *got = malloc(4 * BIG);
	struct ends ends;
	size_t sent;
	char one;

	(void)state;
	ends_open(&ends);
	sent = fill(&ends, data, 4 * BIG);
	close(ends.display_fd);
	ends.display_fd = -1;
	for (int i = 0; i < 100; i++)
		assert_int_equal(SSL_write(ends.viewer, "key", 3), 3);
	read_viewer(&ends, got, sent);
	assert_memory_equal(got, data, sent);
	assert_int_equal(SSL_read(ends.viewer, &one, 1), 0);
	assert_int_equal(SSL_get_error(ends.viewer, 0), SSL_ERROR_ZERO_RETURN);
	assert_int_equal(ends_close(&ends), 0);
}

static void what_the_viewer_left_reaches_the_display(void **state)
{
	char last[4];
	struct ends ends;

	(void)state;
	ends_open(&ends);
	assert_int_equal(SSL_write(ends.viewer, "bye", 3), 3);
	SSL_shutdown(ends.viewer);
	close(ends.viewer_fd);
	ends.viewer_fd = -1;
	read_display(&ends, last, 3);
	assert_memory_equal(last, "bye", 3);
	assert_int_equal(read(ends.display_fd, last, 1), 0);
	assert_int_equal(ends_close(&ends), -ECONNRESET);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_pass_both_ways),
	    cmocka_unit_test(a_viewer_that_does_not_read_stops_the_display_but_not_itself),
	    cmocka_unit_test(what_the_display_left_is_delivered_though_it_hears_no_more),
	    cmocka_unit_test(what_the_viewer_left_reaches_the_display),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_contexts, free_contexts);
}
