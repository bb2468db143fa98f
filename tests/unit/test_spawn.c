/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A real hotdesk-spawn in a directory of its own. What it starts is this very test program under the name
 * hotdesk-display, which reports what it was given and waits. As root the test runs in a network namespace of its own
 * and uids are changed.
 */
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/packet.h"
#include "host/spawn/child.h"
#include "host/spawn/spawn_api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define WAIT_MS 30000
#define VM_UID_FIRST 300000
#define VM_UID_COUNT 20000

struct fixture {
	char directory[64];
	pid_t spawn;
	uid_t host, broker;
	int fd;
};

/* What hotdesk-spawn starts ---------------------------------------------------------------------------------------- */

static void report_fds(FILE *out)
{
	DIR *fds = opendir("/proc/self/fd");
	struct dirent *entry;
	int n = 0;

	while ((entry = readdir(fds)))
		if (entry->d_name[0] != '.' && strtol(entry->d_name, NULL, 10) != dirfd(fds))
			n++;
	closedir(fds);
	fprintf(out, "fds %d\n", n);
}

static int probe(int argc, char **argv, char **environment)
{
	FILE *out = fdopen(3, "w");
	struct rlimit files, core;
	sigset_t mask;
	char byte;

	if (!out)
		return 1;
	report_fds(out);
	getrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_CORE, &core);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	fprintf(out, "argv");
	for (int i = 0; i < argc; i++)
		fprintf(out, " <%s>", argv[i]);
	fprintf(out, "\nuid %u gid %u groups %d\n", getuid(), getgid(), getgroups(0, NULL));
	fprintf(out, "files %d core %d nnp %d leader %d blocked %d\n", (int)files.rlim_cur, (int)core.rlim_cur,
		prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), getsid(0) == getpid(), sigismember(&mask, SIGTERM));
	fprintf(out, "unshare %d\n", unshare(CLONE_FS) < 0 ? errno : 0);
	for (; *environment; environment++)
		fprintf(out, "env %s\n", *environment);
	fprintf(out, "end\n");
	fflush(out);
	/* Until the test's end of the socket is closed, or a signal. */
	while (read(4, &byte, 1) > 0)
		;
	_exit(0);
}

/* The fixture ------------------------------------------------------------------------------------------------------ */

static void copy_program(const char *from, const char *directory, const char *name)
{
	_cleanup_free_ char *data = NULL;
	char path[PATH_MAX];
	size_t size;

	assert_int_equal(fs_path(path, sizeof(path), "%s/bin/%s", directory, name), 0);
	assert_int_equal(fs_read_file(from, 64u << 20, &data, &size), 0);
	assert_int_equal(fs_write_atomic(path, data, size, 0755), 0);
}

static void exec_spawn(const struct fixture *fixture)
{
	char path[128], host[16], broker[16], first[16], count[16];

	snprintf(path, sizeof(path), "%s/bin/hotdesk-spawn", fixture->directory);
	snprintf(host, sizeof(host), "%u", fixture->host);
	snprintf(broker, sizeof(broker), "%u", fixture->broker);
	snprintf(first, sizeof(first), "%d", VM_UID_FIRST);
	snprintf(count, sizeof(count), "%d", VM_UID_COUNT);
	execl(path, path, "--runtime-dir", fixture->directory, "--host-uid", host, "--broker-uid", broker,
	      "--vm-uid-first", first, "--vm-uid-count", count, NULL);
	_exit(127);
}

static int connect_spawn(const struct fixture *fixture)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/spawn/spawn.sock", fixture->directory);
	return packet_connect(path);
}

static void start_spawn(struct fixture *fixture)
{
	fixture->spawn = fork();
	if (fixture->spawn == 0)
		exec_spawn(fixture);
	for (int waited = 0; waited < WAIT_MS; waited += 10) {
		fixture->fd = connect_spawn(fixture);
		if (fixture->fd >= 0)
			return;
		assert_int_equal(waitpid(fixture->spawn, NULL, WNOHANG), 0);
		poll(NULL, 0, 10);
	}
	fail_msg("hotdesk-spawn does not serve");
}

static void end_spawn(struct fixture *fixture, int signal)
{
	int status;

	closep(&fixture->fd);
	fixture->fd = -1;
	kill(fixture->spawn, signal);
	assert_int_equal(waitpid(fixture->spawn, &status, 0), fixture->spawn);
	if (signal == SIGTERM)
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int make_fixture(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char path[128];

	strcpy(fixture->directory, "/tmp/hotdesk-spawn-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	chmod(fixture->directory, 0755);
	snprintf(path, sizeof(path), "%s/bin", fixture->directory);
	assert_int_equal(fs_mkdir_p(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/spawn", fixture->directory);
	assert_int_equal(fs_mkdir_p(path, 0711), 0);
	copy_program(SPAWN_BINARY, fixture->directory, "hotdesk-spawn");
	copy_program("/proc/self/exe", fixture->directory, "hotdesk-display");
	fixture->host = fixture->broker = getuid();
	fixture->fd = -1;
	*state = fixture;
	return 0;
}

static int setup(void **state)
{
	make_fixture(state);
	start_spawn(*state);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	if (fixture->fd >= 0)
		end_spawn(fixture, SIGTERM);
	fs_remove_tree(fixture->directory);
	free(fixture);
	return 0;
}

/* Requests --------------------------------------------------------------------------------------------------------- */

static struct spawn_request request_of(enum spawn_op op, enum spawn_kind kind, uint32_t slot)
{
	return (struct spawn_request){
	    .version = SPAWN_API_VERSION, .op = op, .kind = kind, .slot = slot, .stderr_index = -1};
}

/* Returns the pidfd or -1. */
static int ask(int fd, const struct spawn_request *request, const int *fds, size_t n_fds, struct spawn_reply *reply)
{
	int pidfd = -1;
	size_t n = 0;

	assert_int_equal(packet_send(fd, request, sizeof(*request), fds, n_fds), 0);
	assert_int_equal(packet_recv(fd, reply, sizeof(*reply), &pidfd, 1, &n), 1);
	return n ? pidfd : -1;
}

static int32_t ask_plain(int fd, enum spawn_op op, enum spawn_kind kind, uint32_t slot, struct spawn_reply *reply)
{
	struct spawn_request request = request_of(op, kind, slot);
	int pidfd = ask(fd, &request, NULL, 0, reply);

	assert_true((pidfd >= 0) == (reply->result == 0 && op != SPAWN_STATUS && op != SPAWN_SIGNAL));
	closep(&pidfd);
	return reply->result;
}

static int32_t send_signal(int fd, uint32_t slot, int number)
{
	struct spawn_request request = request_of(SPAWN_SIGNAL, SPAWN_DISPLAY, slot);
	struct spawn_reply reply;

	request.signal = number;
	assert_int_equal(ask(fd, &request, NULL, 0, &reply), -1);
	return reply.result;
}

/* A started display: its report can be read from `report`; it ends when that is closed. */
struct running {
	int report, pidfd;
	struct spawn_reply reply;
};

static struct running start_display(int fd, uint32_t slot, const char *tag)
{
	struct spawn_request request = request_of(SPAWN_START, SPAWN_DISPLAY, slot);
	static const char args[] = "--stream-fd\0"
				   "3\0"
				   "\0with space";
	struct running running;
	int pair[2], fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	running.report = pair[0];
	fds[0] = fds[1] = pair[1];
	memcpy(request.args, args, sizeof(args));
	request.args_size = sizeof(args);
	request.n_fds = 2;
	snprintf(request.tag, sizeof(request.tag), "%s", tag);
	running.pidfd = ask(fd, &request, fds, 2, &running.reply);
	close(pair[1]);
	return running;
}

static void close_running(struct running *running)
{
	closep(&running->report);
	closep(&running->pidfd);
}

static void wait_end(int pidfd)
{
	struct pollfd wait = {.fd = pidfd, .events = POLLIN};

	assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
}

static void read_report(int fd, char *text, size_t size)
{
	size_t at = 0;

	while (at < 4 || strcmp(text + at - 4, "end\n") != 0) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		ssize_t n;

		assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
		n = read(fd, text + at, size - 1 - at);
		assert_true(n > 0);
		at += (size_t)n;
		text[at] = '\0';
	}
}

/* Tests ------------------------------------------------------------------------------------------------------------ */

static void test_child_gets_exactly_what_was_sent(void **state)
{
	struct fixture *fixture = *state;
	struct running running = start_display(fixture->fd, 7, "viewer-1");
	char report[4096], expected[128];
	uid_t uid = getuid() == 0 ? VM_UID_FIRST + VM_UID_COUNT / 2 + 7 : getuid();

	assert_int_equal(running.reply.result, 0);
	assert_true(running.reply.pid > 0 && running.pidfd >= 0);
	assert_int_equal(running.reply.uid, uid);
	read_report(running.report, report, sizeof(report));
	assert_non_null(strstr(report, "fds 5\n"));
	assert_non_null(strstr(report, "argv <hotdesk-display> <--stream-fd> <3> <> <with space>\n"));
	assert_non_null(strstr(report, "files 256 core 0 nnp 1 leader 1 blocked 0\n"));
	assert_non_null(strstr(report, "unshare 1\n")); /* EPERM */
	assert_non_null(strstr(report, "env PATH="));
	assert_null(strstr(report, "env HOME="));
	if (getuid() == 0) {
		snprintf(expected, sizeof(expected), "uid %u gid %u groups 0\n", uid, uid);
		assert_non_null(strstr(report, expected));
	}
	close_running(&running);
}

static void test_slot_is_taken_until_its_process_ends(void **state)
{
	struct fixture *fixture = *state;
	struct running first = start_display(fixture->fd, 3, "viewer-a"), second, third;
	struct spawn_reply reply;

	assert_int_equal(first.reply.result, 0);
	second = start_display(fixture->fd, 3, "viewer-b");
	assert_int_equal(second.reply.result, -EEXIST);
	assert_int_equal(second.pidfd, -1);
	assert_int_equal(ask_plain(fixture->fd, SPAWN_GET, SPAWN_DISPLAY, 3, &reply), 0);
	assert_int_equal(reply.pid, first.reply.pid);
	assert_string_equal(reply.tag, "viewer-a");
	assert_int_equal(send_signal(fixture->fd, 3, SIGTERM), 0);
	wait_end(first.pidfd);
	assert_int_equal(ask_plain(fixture->fd, SPAWN_GET, SPAWN_DISPLAY, 3, &reply), -ESRCH);
	assert_int_equal(send_signal(fixture->fd, 3, SIGTERM), -ESRCH);
	third = start_display(fixture->fd, 3, "viewer-c");
	assert_int_equal(third.reply.result, 0);
	close_running(&first);
	close_running(&second);
	close_running(&third);
}

static void test_children_survive_its_kill_and_are_known_again(void **state)
{
	struct fixture *fixture = *state;
	struct running kept = start_display(fixture->fd, 1, "kept viewer"),
		       gone = start_display(fixture->fd, 2, "gone");
	struct running again;
	struct spawn_reply reply;

	assert_int_equal(kept.reply.result, 0);
	assert_int_equal(gone.reply.result, 0);
	end_spawn(fixture, SIGKILL);
	kill(gone.reply.pid, SIGKILL);
	wait_end(gone.pidfd);
	start_spawn(fixture);
	assert_int_equal(ask_plain(fixture->fd, SPAWN_GET, SPAWN_DISPLAY, 1, &reply), 0);
	assert_int_equal(reply.pid, kept.reply.pid);
	assert_string_equal(reply.tag, "kept viewer");
	assert_int_equal(ask_plain(fixture->fd, SPAWN_GET, SPAWN_DISPLAY, 2, &reply), -ESRCH);
	again = start_display(fixture->fd, 1, "other");
	assert_int_equal(again.reply.result, -EEXIST);
	assert_int_equal(send_signal(fixture->fd, 1, SIGKILL), 0);
	wait_end(kept.pidfd);
	close_running(&kept);
	close_running(&gone);
	close_running(&again);
}

static void test_sigterm_leaves_children_alive(void **state)
{
	struct fixture *fixture = *state;
	struct running kept = start_display(fixture->fd, 1, "kept");
	struct spawn_reply reply;

	end_spawn(fixture, SIGTERM);
	start_spawn(fixture);
	assert_int_equal(ask_plain(fixture->fd, SPAWN_GET, SPAWN_DISPLAY, 1, &reply), 0);
	assert_int_equal(reply.pid, kept.reply.pid);
	close_running(&kept);
}

/* A pid that belongs to somebody else by now. */
static void test_record_of_another_process_is_not_believed(void **state)
{
	struct fixture *fixture = *state;
	struct running mine = start_display(fixture->fd, 5, "mine");
	_cleanup_free_ char *record = NULL;
	struct spawn_reply reply;
	char path[128], forged[512], *space;

	assert_int_equal(mine.reply.result, 0);
	end_spawn(fixture, SIGKILL);
	snprintf(path, sizeof(path), "%s/spawn/display-5", fixture->directory);
	assert_int_equal(fs_read_file(path, 512, &record, NULL), 0);
	space = strchr(record, ' ');
	snprintf(forged, sizeof(forged), "%d 1%s", (int)getpid(), strchr(space + 1, ' '));
	assert_int_equal(fs_write_atomic(path, forged, strlen(forged), 0600), 0);
	snprintf(path, sizeof(path), "%s/spawn/display-6", fixture->directory);
	assert_int_equal(fs_write_atomic(path, "12", 2, 0600), 0);
	start_spawn(fixture);
	assert_int_equal(ask_plain(fixture->fd, SPAWN_GET, SPAWN_DISPLAY, 5, &reply), -ESRCH);
	assert_int_equal(ask_plain(fixture->fd, SPAWN_GET, SPAWN_DISPLAY, 6, &reply), -ESRCH);
	assert_int_equal(access(path, F_OK), -1);
	close_running(&mine);
}

static void test_failure_to_execute_is_told(void **state)
{
	struct fixture *fixture = *state;
	struct spawn_request request = request_of(SPAWN_START, SPAWN_SCREEN, 4);
	struct spawn_reply reply;
	char path[128];

	assert_int_equal(ask(fixture->fd, &request, NULL, 0, &reply), -1);
	assert_int_equal(reply.result, -ENOENT);
	assert_non_null(strstr(reply.text, "hotdesk-screen"));
	assert_int_equal(ask_plain(fixture->fd, SPAWN_GET, SPAWN_SCREEN, 4, &reply), -ESRCH);
	snprintf(path, sizeof(path), "%s/spawn/screen-4", fixture->directory);
	assert_int_equal(access(path, F_OK), -1);
}

static void refuse(int fd, struct spawn_request request)
{
	struct spawn_reply reply;

	assert_int_equal(ask(fd, &request, NULL, 0, &reply), -1);
	assert_true(reply.result < 0);
	assert_true(reply.text[0] != '\0');
	/* The connection goes on. */
	assert_int_equal(ask_plain(fd, SPAWN_STATUS, 0, 0, &reply), 0);
}

static void test_malformed_requests_are_refused(void **state)
{
	struct fixture *fixture = *state;
	const struct spawn_request good = request_of(SPAWN_START, SPAWN_DISPLAY, 0);
	struct spawn_request bad = good;

	bad.version = SPAWN_API_VERSION + 1;
	refuse(fixture->fd, bad);
	refuse(fixture->fd, request_of(99, SPAWN_DISPLAY, 0));
	refuse(fixture->fd, request_of(SPAWN_START, SPAWN_KINDS, 0));
	refuse(fixture->fd, request_of(SPAWN_GET, UINT32_MAX, 0));
	refuse(fixture->fd, request_of(SPAWN_START, SPAWN_DISPLAY, VM_UID_COUNT / 2));
	refuse(fixture->fd, request_of(SPAWN_GET, SPAWN_DISPLAY, UINT32_MAX));
	bad = good;
	bad.n_fds = 1;
	refuse(fixture->fd, bad);
	bad = good;
	bad.stderr_index = 0;
	refuse(fixture->fd, bad);
	bad = good;
	bad.args_size = SPAWN_ARGS_MAX + 1;
	refuse(fixture->fd, bad);
	bad = good;
	bad.args_size = 3;
	memcpy(bad.args, "abc", 3);
	refuse(fixture->fd, bad);
	bad = good;
	bad.args_size = SPAWN_ARGS_MAX; /* one empty word after the other */
	refuse(fixture->fd, bad);
	bad = good;
	memset(bad.tag, 'x', sizeof(bad.tag));
	refuse(fixture->fd, bad);
	assert_int_equal(send_signal(fixture->fd, 0, SIGSTOP), -EINVAL);
}

static void test_wrong_size_ends_the_connection_alone(void **state)
{
	struct fixture *fixture = *state;
	struct spawn_reply reply;
	int fd = connect_spawn(fixture), pidfd;
	size_t n;

	assert_true(fd >= 0);
	assert_int_equal(packet_send(fd, "short", 5, NULL, 0), 0);
	assert_int_equal(packet_recv(fd, &reply, sizeof(reply), &pidfd, 1, &n), 0);
	close(fd);
	assert_int_equal(ask_plain(fixture->fd, SPAWN_STATUS, 0, 0, &reply), 0);
	assert_int_equal((reply.flags & SPAWN_FLAG_ROOT) != 0, getuid() == 0);
}

/* The results of STATUS, START of a display and START of a QEMU as another uid; 1 where the connection was refused. */
static void ask_as(const struct fixture *fixture, uid_t uid, int results[3])
{
	int *shared = results;
	int pair[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		struct spawn_request request = request_of(SPAWN_STATUS, 0, 0);
		struct spawn_reply reply;
		int fd, got[3] = {1, 1, 1};

		if (setresuid(uid, uid, uid) < 0)
			_exit(1);
		fd = connect_spawn(fixture);
		for (int i = 0; i < 3; i++) {
			request = i == 0 ? request : request_of(SPAWN_GET, i == 1 ? SPAWN_DISPLAY : SPAWN_QEMU, 0);
			if (packet_send(fd, &request, sizeof(request), NULL, 0) == 0 &&
			    packet_recv(fd, &reply, sizeof(reply), NULL, 0, NULL) == 1)
				got[i] = reply.result;
		}
		packet_send(pair[1], got, sizeof(got), NULL, 0);
		_exit(0);
	}
	close(pair[1]);
	assert_int_equal(packet_recv(pair[0], shared, 3 * sizeof(int), NULL, 0, NULL), 1);
	close(pair[0]);
	waitpid(pid, NULL, 0);
}

static void test_uid_decides_what_may_be_asked(void **state)
{
	struct fixture *fixture = *state;
	int results[3];

	if (getuid() != 0)
		skip();
	end_spawn(fixture, SIGTERM);
	fixture->host = 64103;
	fixture->broker = 64102;
	start_spawn(fixture);
	ask_as(fixture, 64103, results);
	assert_int_equal(results[0], 0);
	assert_int_equal(results[1], -EPERM);
	assert_int_equal(results[2], -ESRCH);
	ask_as(fixture, 64102, results);
	assert_int_equal(results[0], 0);
	assert_int_equal(results[1], -ESRCH);
	assert_int_equal(results[2], -EPERM);
	ask_as(fixture, 64199, results);
	assert_int_equal(results[0], 1);
	assert_int_equal(results[1], 1);
}

/* A socket in the manner of sd_listen_fds(3), and as root an empty /tmp; what it finds is printed on fd 4. */
/* Not that of a plain chroot. */
static bool root_is_a_mount_point(void)
{
	struct statx root;

	return statx(AT_FDCWD, "/", 0, 0, &root) == 0 && (root.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static void test_sound_daemon_gets_its_socket_and_an_empty_tmp(void **state)
{
	static char script[] = "test -S /proc/self/fd/3 && test $LISTEN_FDS = 1 && test $LISTEN_PID = $$ && "
			       "test $HOME = /nonexistent && mkdir $PULSE_RUNTIME_PATH && "
			       "test $PULSE_STATE_PATH = $PULSE_RUNTIME_PATH && ls /tmp && rmdir $PULSE_RUNTIME_PATH";
	char *argv[] = {"sh", "-c", script, NULL}, expected[32] = "", text[256] = "";
	uid_t uid = getuid() == 0 ? VM_UID_FIRST : getuid();
	int out[2], fds[2] = {-1, -1};
	struct child_plan plan = {.entry = &spawn_table[SPAWN_SOUND],
				  .path = "/bin/sh",
				  .argv = argv,
				  .fds = fds,
				  .n_fds = 2,
				  .stderr_index = 1,
				  .change_uid = getuid() == 0,
				  .uid = uid,
				  .namespaces = getuid() == 0 && child_can_unshare()};
	struct child child;
	struct error err;
	int status;

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fds[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fds[1] = out[1];
	assert_int_equal(child_fork(&plan, &child, &err), 0);
	assert_int_equal(child_go(&child, &plan, &err), 0);
	close(out[1]);
	close(fds[0]);
	for (size_t at = 0; at < sizeof(text) - 1;) {
		ssize_t n = read(out[0], text + at, sizeof(text) - 1 - at);

		if (n <= 0)
			break;
		at += (size_t)n;
	}
	assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
	snprintf(expected, sizeof(expected), "hotdesk-%u\n", uid);
	if (plan.namespaces && root_is_a_mount_point())
		assert_string_equal(text, expected);
	else
		assert_non_null(strstr(text, expected));
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(child.pidfd);
	close(out[0]);
}

/* hotdesk-spawn killed before the record is there: the process must not come to life. */
static void test_child_without_go_never_runs(void **state)
{
	char *argv[] = {"true", NULL};
	struct child_plan plan = {
	    .entry = &spawn_table[SPAWN_DISPLAY], .path = "/bin/true", .argv = argv, .stderr_index = -1};
	_cleanup_close_ int pidfd = -1;
	int pair[2], status, child;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	pid = fork();
	if (pid == 0) {
		struct child waiting;

		child = child_fork(&plan, &waiting, NULL) == 0 ? waiting.pid : 0;
		packet_send(pair[1], &child, sizeof(child), NULL, 0);
		raise(SIGKILL);
	}
	assert_int_equal(packet_recv(pair[0], &child, sizeof(child), NULL, 0, NULL), 1);
	waitpid(pid, NULL, 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	/* 0 without exec; 127 would be a failed step. */
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
	close(pair[0]);
	close(pair[1]);
}

/* hotdesk-spawn loads its nftables table into the network namespace it runs in: not into this machine's. */
static void enter_own_network(void)
{
	if (getuid() == 0 && unshare(CLONE_NEWNET) < 0)
		print_message("the table of this machine's network is replaced: %s\n", strerror(errno));
}

#define SPAWN_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(int argc, char **argv, char **environment)
{
	const struct CMUnitTest tests[] = {
	    SPAWN_TEST(test_child_gets_exactly_what_was_sent),
	    SPAWN_TEST(test_slot_is_taken_until_its_process_ends),
	    SPAWN_TEST(test_children_survive_its_kill_and_are_known_again),
	    SPAWN_TEST(test_sigterm_leaves_children_alive),
	    SPAWN_TEST(test_record_of_another_process_is_not_believed),
	    SPAWN_TEST(test_failure_to_execute_is_told),
	    SPAWN_TEST(test_malformed_requests_are_refused),
	    SPAWN_TEST(test_wrong_size_ends_the_connection_alone),
	    SPAWN_TEST(test_uid_decides_what_may_be_asked),
	    cmocka_unit_test(test_sound_daemon_gets_its_socket_and_an_empty_tmp),
	    cmocka_unit_test(test_child_without_go_never_runs),
	};

	if (strcmp(argv[0], "hotdesk-display") == 0)
		return probe(argc, argv, environment);
	enter_own_network();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
