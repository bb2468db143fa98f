/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Errors, files, packets, secrets, the sandbox and log lines. */
#include "common/cleanup.h"
#include "common/error.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/packet.h"
#include "common/sandbox.h"
#include "common/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int setup(void **state)
{
	char *directory = strdup("/tmp/hotdesk-common-XXXXXX");

	assert_non_null(mkdtemp(directory));
	*state = directory;
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(fs_remove_tree(*state), 0);
	assert_int_equal(access(*state, F_OK), -1);
	free(*state);
	return 0;
}

static void test_error_text_is_cut_at_a_character(void **state)
{
	char text[ERROR_TEXT_MAX * 2];
	struct error err = {0};
	size_t length;

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa4", 3);
	for (int shift = 0; shift < 2; shift++) {
		assert_int_equal(error_set(&err, -EINVAL, "%s%s", shift ? "x" : "", text), -EINVAL);
		length = strlen(err.text);
		assert_true(length < ERROR_TEXT_MAX && length >= ERROR_TEXT_MAX - 3);
		assert_memory_equal(err.text + length - 2, "\xc3\xa4", 2);
	}
	error_set_errno(&err, -ENOENT, "cannot open %s", "x");
	assert_int_equal(error_prefix(&err, "line %d", 3), -ENOENT);
	assert_string_equal(err.text, "line 3: cannot open x: No such file or directory");
	assert_int_equal(error_set(NULL, -EIO, "nobody listens"), -EIO);
}

static void test_file_is_whole_or_not_there(void **state)
{
	_cleanup_free_ char *data = NULL;
	char path[128], missing[128];
	struct stat made;
	size_t size;

	snprintf(path, sizeof(path), "%s/a/b/file", (const char *)*state);
	snprintf(missing, sizeof(missing), "%s/none/file", (const char *)*state);
	assert_int_equal(fs_write_atomic(missing, "x", 1, 0600), -ENOENT);
	*strrchr(path, '/') = '\0';
	assert_int_equal(fs_mkdir_p(path, 0700), 0);
	assert_int_equal(fs_mkdir_p(path, 0700), 0);
	path[strlen(path)] = '/';
	assert_int_equal(fs_write_atomic(path, "first", 5, 0600), 0);
	assert_int_equal(fs_write_atomic(path, "sec\0nd", 6, 0640), 0);
	assert_int_equal(stat(path, &made), 0);
	assert_int_equal(made.st_mode & 07777, 0640);
	assert_int_equal(fs_read_file(path, 6, &data, &size), 0);
	assert_int_equal(size, 6);
	assert_memory_equal(data, "sec\0nd", 7);
	free(data);
	data = NULL;
	assert_int_equal(fs_read_file(path, 5, &data, &size), -EFBIG);
	assert_null(data);
	assert_int_equal(fs_read_file(missing, 5, &data, &size), -ENOENT);
}

static void test_tree_is_removed_but_not_what_links_point_to(void **state)
{
	char path[128], outside[128], link[160];

	snprintf(outside, sizeof(outside), "%s/outside", (const char *)*state);
	snprintf(path, sizeof(path), "%s/tree/deep", (const char *)*state);
	snprintf(link, sizeof(link), "%s/link", path);
	assert_int_equal(fs_mkdir_p(outside, 0700), 0);
	assert_int_equal(fs_mkdir_p(path, 0700), 0);
	assert_int_equal(symlink(outside, link), 0);
	snprintf(link, sizeof(link), "%s/kept", outside);
	assert_int_equal(fs_write_atomic(link, "x", 1, 0600), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(fs_remove_tree(path), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(link, F_OK), 0);
	assert_int_equal(fs_remove_tree(path), 0);
}

static void test_packet_has_its_size_and_fds_or_is_refused(void **state)
{
	int pair[2], fds[2] = {0, 1}, got[2] = {-1, -1}, next;
	char data[8];
	size_t n;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	next = fcntl(0, F_DUPFD, 3);
	close(next);
	assert_int_equal(packet_send(pair[0], "12345678", 8, fds, 2), 0);
	assert_int_equal(packet_recv(pair[1], data, 8, got, 2, &n), 1);
	assert_int_equal(n, 2);
	assert_int_equal(fcntl(got[0], F_GETFD), FD_CLOEXEC);
	close(got[0]);
	close(got[1]);
	assert_int_equal(packet_send(pair[0], "1234567", 7, NULL, 0), 0);
	assert_int_equal(packet_recv(pair[1], data, 8, got, 2, &n), -EBADMSG);
	assert_int_equal(packet_send(pair[0], "123456789", 9, fds, 1), 0);
	assert_int_equal(packet_recv(pair[1], data, 8, got, 2, &n), -EBADMSG);
	assert_int_equal(packet_send(pair[0], "12345678", 8, fds, 2), 0);
	assert_int_equal(packet_recv(pair[1], data, 8, got, 1, &n), -EBADMSG);
	/* None of the refused messages left an fd behind. */
	assert_int_equal(fcntl(0, F_DUPFD, 3), next);
	close(next);
	close(pair[0]);
	assert_int_equal(packet_recv(pair[1], data, 8, got, 2, &n), 0);
	assert_true(packet_send(pair[1], "12345678", 8, NULL, 0) < 0);
	close(pair[1]);
}

static void test_listening_replaces_an_old_socket(void **state)
{
	char path[128], longer[200];
	int first, second, peer, fd;
	uid_t uid = 1;

	snprintf(path, sizeof(path), "%s/sock", (const char *)*state);
	first = packet_listen(path, 0600);
	second = packet_listen(path, 0600);
	assert_true(first >= 0 && second >= 0);
	fd = packet_connect(path);
	assert_true(fd >= 0);
	peer = accept(second, NULL, NULL);
	assert_true(peer >= 0);
	assert_int_equal(packet_peer(peer, &uid, NULL), 0);
	assert_int_equal(uid, getuid());
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(packet_listen(longer, 0600), -ENAMETOOLONG);
	assert_int_equal(packet_connect(longer), -ENAMETOOLONG);
	close(first);
	close(second);
	close(peer);
	close(fd);
}

static void test_secret_travels_once(void **state)
{
	_cleanup_(secret_freep) struct secret *secret = secret_new(), *copy = NULL;
	char left[8];
	int fd = -1;

	(void)state;
	strcpy(secret->data, "wonder");
	secret->length = 6;
	assert_int_equal(secret_to_memfd(secret, &fd), 0);
	assert_int_equal(ftruncate(fd, 3), -1);
	assert_int_equal(secret_from_memfd(fd, &copy), 0);
	assert_int_equal(copy->length, 6);
	assert_string_equal(copy->data, "wonder");
	assert_int_equal(pread(fd, left, sizeof(left), 0), 6);
	assert_memory_equal(left, "\0\0\0\0\0\0", 6);
	close(fd);
}

static void test_foreign_secret_is_checked(void **state)
{
	struct secret *secret = NULL;
	int file = memfd_create("test", MFD_CLOEXEC), large = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int pipe_ends[2];

	(void)state;
	assert_int_equal(secret_from_memfd(file, &secret), -EBADF);
	assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
	assert_int_equal(secret_from_memfd(pipe_ends[0], &secret), -EBADF);
	assert_int_equal(ftruncate(large, SECRET_MAX + 1), 0);
	assert_int_equal(secret_from_memfd(large, &secret), -EBADF);
	assert_int_equal(fcntl(large, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	assert_int_equal(secret_from_memfd(large, &secret), -EFBIG);
	assert_null(secret);
	close(file);
	close(large);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

static void test_sandbox_kills_what_is_not_listed(void **state)
{
	static const char *const allowed[] = {"exit_group", "write", "no_such_call_anywhere", NULL};
	int status;
	pid_t pid;

	(void)state;
	for (int listed = 0; listed < 2; listed++) {
		pid = fork();
		if (pid == 0) {
			if (sandbox_enter(allowed) < 0)
				_exit(1);
			if (!listed)
				syscall(SYS_getppid);
			syscall(SYS_exit_group, 7);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (listed)
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
		else
			assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
}

static void test_log_line_cannot_be_forged(void **state)
{
	char line[256] = "";
	int ends[2], old = dup(2);

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	dup2(ends[1], 2);
	log_open("test");
	log_notice("name %s", "eve\n\x1b[2Jroot[1]: ok");
	log_debug("not asked for");
	dup2(old, 2);
	close(ends[1]);
	assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
	assert_non_null(strstr(line, "]: name eve??[2Jroot[1]: ok\n"));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	close(ends[0]);
	close(old);
}

#define COMMON_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_error_text_is_cut_at_a_character),
	    COMMON_TEST(test_file_is_whole_or_not_there),
	    COMMON_TEST(test_tree_is_removed_but_not_what_links_point_to),
	    cmocka_unit_test(test_packet_has_its_size_and_fds_or_is_refused),
	    COMMON_TEST(test_listening_replaces_an_old_socket),
	    cmocka_unit_test(test_secret_travels_once),
	    cmocka_unit_test(test_foreign_secret_is_checked),
	    cmocka_unit_test(test_sandbox_kills_what_is_not_listed),
	    cmocka_unit_test(test_log_line_cannot_be_forged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
