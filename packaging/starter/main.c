/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hotdesk-starter: where there is no systemd, starts the programs, restarts what dies, and ends everything at SIGTERM.
 * It is the sub-reaper of all, so that what a killed program leaves behind is reaped and found at the end.
 */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/fs.h"
#include "common/log.h"
#include "host/spawn/slot.h"
#include "packaging/starter/program.h"
#include "packaging/starter/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define STOP_USEC UINT64_C(5000000)
#define POLL_MSEC 20

/* In the order they are started; stopped in reverse. */
static struct program programs[] = {
    {.name = "spawn", .run_as = CONF_COUNT, .private_state = true, .wanted = true},
    {.name = "auth", .run_as = CONF_RUN_AUTH, .private_state = true, .wanted = true},
    {.name = "host", .run_as = CONF_RUN_HOST, .private_state = false, .wanted = true},
    {.name = "broker", .run_as = CONF_RUN_BROKER, .private_state = true, .wanted = true},
    /* The CA's certificate in it is for everybody; the keys have a mode of their own. */
    {.name = "gate", .run_as = CONF_RUN_GATE, .private_state = false, .wanted = true},
};

#define PROGRAMS (sizeof(programs) / sizeof(programs[0]))

static void reap(uint64_t now, bool stopping)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < PROGRAMS; i++) {
			if (programs[i].pid != pid)
				continue;
			if (stopping)
				programs[i].pid = 0;
			else
				program_ended(&programs[i], status, now);
		}
}

static void start_due(struct starter *starter, uint64_t now)
{
	struct error err = {0};

	for (size_t i = 0; i < PROGRAMS; i++) {
		struct program *program = &programs[i];

		if (!program->wanted || program->pid != 0 || program->start_at > now)
			continue;
		if (program_start(starter, program, now, &err) < 0) {
			log_error("hotdesk-%s: %s", program->name, err.text);
			program->start_at = now + UINT64_C(1000000);
		}
	}
}

static int next_timeout(uint64_t now)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < PROGRAMS; i++)
		if (programs[i].wanted && programs[i].pid == 0 && programs[i].start_at < first)
			first = programs[i].start_at;
	if (first == UINT64_MAX)
		return -1;
	return first <= now ? 0 : (int)((first - now) / 1000 + 1);
}

/* Returns the first SIGTERM or SIGINT. */
static void watch(struct starter *starter, int signals)
{
	struct pollfd poll_fd = {.fd = signals, .events = POLLIN};
	struct signalfd_siginfo info;

	for (;;) {
		start_due(starter, clock_usec());
		if (poll(&poll_fd, 1, next_timeout(clock_usec())) <= 0)
			continue;
		if (read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
			continue;
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			return;
		if (info.ssi_signo == SIGHUP && programs[PROGRAMS - 1].pid > 0)
			kill(programs[PROGRAMS - 1].pid, SIGHUP);
		reap(clock_usec(), false);
	}
}

/* What hotdesk-spawn started under an earlier starter is not below this one; its records know. NULL where spawn is not
 * ours. */
static struct slots *recorded_children(const struct starter *starter)
{
	struct slots *slots = NULL;
	char path[PATH_MAX];

	if (!programs[0].wanted)
		return NULL;
	if (fs_path(path, sizeof(path), "%s/spawn", conf_string(starter->conf, CONF_RUNTIME_DIR)) < 0 ||
	    slots_load(path, &slots) < 0)
		log_warning("cannot read what hotdesk-spawn started: see that nothing is left running");
	return slots;
}

/* Signal 0 only counts. */
static size_t signal_left(struct slots *children, int signal)
{
	return tree_signal(signal) + (children ? slots_signal(children, signal) : 0);
}

static bool wait_program(const struct program *program)
{
	for (uint64_t end = clock_usec() + STOP_USEC; clock_usec() < end; poll(NULL, 0, POLL_MSEC)) {
		reap(clock_usec(), true);
		if (program->pid == 0)
			return true;
	}
	return false;
}

static bool wait_left(struct slots *children)
{
	for (uint64_t end = clock_usec() + STOP_USEC; clock_usec() < end; poll(NULL, 0, POLL_MSEC)) {
		reap(clock_usec(), true);
		if (signal_left(children, 0) == 0)
			return true;
	}
	return false;
}

/* The broker before the host, both before the desktops and viewers, so that no end of these looks to them like a
 * failure. */
static void stop_all(const struct starter *starter)
{
	struct slots *children;

	log_notice("stopping");
	for (size_t i = PROGRAMS; i-- > 0;) {
		if (programs[i].pid == 0)
			continue;
		kill(programs[i].pid, SIGTERM);
		if (!wait_program(&programs[i]))
			log_warning("hotdesk-%s does not stop and will be killed", programs[i].name);
	}
	/* Desktops, viewers and connections outlive the programs by design; here they are to end. */
	children = recorded_children(starter);
	signal_left(children, SIGTERM);
	while (!wait_left(children))
		signal_left(children, SIGKILL);
	slots_free(children);
}

/* Sets `wanted` of the programs named. */
static int choose(char *names, bool wanted, struct error *err)
{
	char *save;

	for (char *name = strtok_r(names, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		bool known = false;

		for (size_t i = 0; i < PROGRAMS; i++)
			if (strcmp(programs[i].name, name) == 0) {
				programs[i].wanted = wanted;
				known = true;
			}
		if (!known)
			return error_set(err, -EINVAL, "no program %s: there are spawn, auth, host, broker and gate",
					 name);
	}
	return 0;
}

static int choose_only(char *names, struct error *err)
{
	for (size_t i = 0; i < PROGRAMS; i++)
		programs[i].wanted = false;
	return choose(names, true, err);
}

static void usage(FILE *out)
{
	fputs("usage: hotdesk-starter [--config FILE] [--only PROGRAM[,PROGRAM...]] [--without PROGRAM[,PROGRAM...]]\n"
	      "Runs spawn, auth, host, broker and gate, restarts what dies, and ends all at SIGTERM.\n",
	      out);
}

static int parse_options(int argc, char **argv, struct starter *starter, struct error *err)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"only", required_argument, NULL, 'o'},
	    {"without", required_argument, NULL, 'w'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int option, r = 0;

	while (r == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			starter->conf_path = optarg;
			break;
		case 'o':
			r = choose_only(optarg, err);
			break;
		case 'w':
			r = choose(optarg, false, err);
			break;
		default:
			usage(option == 'h' ? stdout : stderr);
			exit(option == 'h' ? 0 : 2);
		}
	}
	if (r == 0 && optind != argc)
		r = error_set(err, -EINVAL, "%s is no option; see --help", argv[optind]);
	return r;
}

static int make_top(const struct conf *conf, struct error *err)
{
	const char *directories[] = {conf_string(conf, CONF_RUNTIME_DIR), conf_string(conf, CONF_STATE_DIR)};
	char path[PATH_MAX];
	int r = fs_path(path, sizeof(path), "%s/starter", directories[0]);

	for (size_t i = 0; i < 2 && r == 0; i++) {
		r = fs_mkdir_p(directories[i], 0755);
		if (r < 0)
			return error_set_errno(err, r, "cannot make the directory %s: see [paths]", directories[i]);
	}
	if (r == 0)
		r = fs_mkdir_p(path, 0755);
	return r < 0 ? error_set_errno(err, r, "cannot make the directory starter in %s", directories[0]) : 0;
}

/* Held by this process until it ends. */
static int lock(const struct conf *conf, struct error *err)
{
	const char *directory = conf_string(conf, CONF_RUNTIME_DIR);
	char path[PATH_MAX];
	int fd, r = fs_path(path, sizeof(path), "%s/starter/lock", directory);

	fd = r < 0 ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set_errno(err, r < 0 ? r : -errno, "cannot open %s/starter/lock", directory);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	r = -errno;
	close(fd);
	return error_set(err, r, "another hotdesk-starter runs in %s: stop it, or name another runtime-dir", directory);
}

/* Before anything is made or started. */
static int check_programs(const struct starter *starter, struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < PROGRAMS && r == 0; i++) {
		r = program_resolve_user(starter, &programs[i], err);
		if (r == 0 && programs[i].wanted)
			r = program_find(starter, &programs[i], err);
	}
	return r;
}

/* spawn has to be root, and auth may have to be. */
static void warn_of_root(void)
{
	for (size_t i = 0; i < PROGRAMS; i++)
		if (programs[i].wanted && programs[i].uid == 0 && programs[i].run_as != CONF_COUNT &&
		    programs[i].run_as != CONF_RUN_AUTH)
			log_warning("hotdesk-%s runs as root and need not: set [run-as] %s to a user of its own (a "
				    "number that nobody has will do)",
				    programs[i].name, programs[i].name);
}

static int prepare(struct starter *starter, struct error *err)
{
	ssize_t length = readlink("/proc/self/exe", starter->beside, sizeof(starter->beside) - 1);
	int r;

	if (length < 0)
		return error_set_errno(err, -errno, "cannot find the programs");
	starter->beside[length] = '\0';
	*strrchr(starter->beside, '/') = '\0';
	umask(022);
	r = check_programs(starter, err);
	if (r == 0)
		r = make_top(starter->conf, err);
	if (r == 0)
		r = lock(starter->conf, err);
	if (r == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		r = error_set_errno(err, -errno, "cannot become the reaper of the programs");
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_(conf_freep) struct conf *conf = NULL;
	struct starter starter = {.programs = programs, .n_programs = PROGRAMS};
	struct error err = {0};
	sigset_t mask;
	int signals;

	log_open("hotdesk-starter");
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	if (parse_options(argc, argv, &starter, &err) < 0) {
		log_error("%s", err.text);
		return 2;
	}
	if (conf_load(starter.conf_path, &conf, &err) < 0) {
		log_error("%s", err.text);
		return 1;
	}
	starter.conf = conf;
	if (prepare(&starter, &err) < 0) {
		log_error("%s", err.text);
		return 1;
	}
	warn_of_root();
	signals = signalfd(-1, &mask, SFD_CLOEXEC);
	if (signals < 0) {
		log_error("cannot watch signals: %s", strerror(errno));
		return 1;
	}
	watch(&starter, signals);
	stop_all(&starter);
	return 0;
}
