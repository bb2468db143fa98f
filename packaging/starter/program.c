/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "packaging/starter/program.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/user.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define BACKOFF_FIRST UINT64_C(100000)
#define BACKOFF_MOST UINT64_C(10000000)
#define STEADY UINT64_C(30000000) /* alive for so long: the next end starts with the first back-off again */
#define ARGS_MAX 16

int program_resolve_user(const struct starter *starter, struct program *program, struct error *err)
{
	const char *user = program->run_as == CONF_COUNT ? "" : conf_string(starter->conf, program->run_as);

	if (user_resolve(user, &program->uid, &program->gid) < 0)
		return error_set(err, -ENOENT,
				 "[run-as] %s = %s: there is no such user; name another or leave it empty",
				 program->name, user);
	if (getuid() != 0 && program->uid != getuid())
		return error_set(err, -EPERM,
				 "[run-as] %s = %s: only root can start programs as others; leave it empty",
				 program->name, user);
	return 0;
}

static int program_path(const struct starter *starter, const struct program *program, char path[PATH_MAX])
{
	return fs_path(path, PATH_MAX, "%s/hotdesk-%s", starter->beside, program->name);
}

int program_find(const struct starter *starter, const struct program *program, struct error *err)
{
	char path[PATH_MAX];
	int r = program_path(starter, program, path);

	if (r == 0 && access(path, X_OK) < 0)
		r = -errno;
	if (r < 0)
		return error_set(err, r,
				 "hotdesk-%s cannot be started: %s/hotdesk-%s: %s; the programs lie in one directory "
				 "with hotdesk-starter (--without %s leaves it out)",
				 program->name, starter->beside, program->name, strerror(-r), program->name);
	return 0;
}

static int make_directory(const char *path, mode_t mode, const struct program *program, struct error *err)
{
	int r = fs_mkdir_p(path, mode);

	if (r == 0 && (chmod(path, mode) < 0 || (getuid() == 0 && chown(path, program->uid, program->gid) < 0)))
		r = -errno;
	return r < 0 ? error_set_errno(err, r, "cannot make the directory %s", path) : 0;
}

static void remove_leftovers(const char *directory, const char *name)
{
	char path[PATH_MAX];

	if (fs_path(path, sizeof(path), "%s/%s.sock", directory, name) == 0)
		unlink(path);
	if (fs_path(path, sizeof(path), "%s/port", directory) == 0)
		unlink(path);
}

int program_prepare(const struct starter *starter, const struct program *program, struct error *err)
{
	char path[PATH_MAX];
	int r;

	if (fs_path(path, sizeof(path), "%s/%s", conf_string(starter->conf, CONF_RUNTIME_DIR), program->name) < 0)
		return error_set(err, -ENAMETOOLONG, "runtime-dir is too long");
	r = make_directory(path, 0711, program, err);
	if (r < 0)
		return r;
	remove_leftovers(path, program->name);
	if (fs_path(path, sizeof(path), "%s/%s", conf_string(starter->conf, CONF_STATE_DIR), program->name) < 0)
		return error_set(err, -ENAMETOOLONG, "state-dir is too long");
	return make_directory(path, program->private_state ? 0700 : 0711, program, err);
}

static void write_pid(const struct starter *starter, const struct program *program)
{
	char path[PATH_MAX], text[32];
	int r = fs_path(path, sizeof(path), "%s/starter/%s.pid", conf_string(starter->conf, CONF_RUNTIME_DIR),
			program->name);

	snprintf(text, sizeof(text), "%d\n", (int)program->pid);
	if (r == 0)
		r = fs_write_atomic(path, text, strlen(text), 0644);
	if (r < 0)
		log_warning("cannot write %s: %s", path, strerror(-r));
}

static const struct program *find(const struct starter *starter, const char *name)
{
	for (size_t i = 0; i < starter->n_programs; i++)
		if (strcmp(starter->programs[i].name, name) == 0)
			return &starter->programs[i];
	return NULL;
}

/* hotdesk-spawn reads no configuration: it gets what it needs as options. */
static size_t spawn_arguments(const struct starter *starter, const char **argv, size_t n, char numbers[4][24])
{
	snprintf(numbers[0], 24, "%u", find(starter, "host")->uid);
	snprintf(numbers[1], 24, "%u", find(starter, "broker")->uid);
	snprintf(numbers[2], 24, "%lld", (long long)conf_number(starter->conf, CONF_RUN_VM_UID_FIRST));
	snprintf(numbers[3], 24, "%lld", (long long)conf_number(starter->conf, CONF_RUN_VM_UID_COUNT));
	argv[n++] = "--runtime-dir";
	argv[n++] = conf_string(starter->conf, CONF_RUNTIME_DIR);
	argv[n++] = "--host-uid";
	argv[n++] = numbers[0];
	argv[n++] = "--broker-uid";
	argv[n++] = numbers[1];
	argv[n++] = "--vm-uid-first";
	argv[n++] = numbers[2];
	argv[n++] = "--vm-uid-count";
	argv[n++] = numbers[3];
	return n;
}

/* The groups of a user of the system (hotdesk-auth may need `shadow`); a bare number has none but its own, and that of
 * /dev/kvm where it is hotdesk-host's. */
static int set_groups(const struct program *program)
{
	const struct passwd *entry = getpwuid(program->uid);
	gid_t kvm = program->run_as == CONF_RUN_HOST ? user_kvm_group() : 0;

	return entry ? initgroups(entry->pw_name, program->gid) : setgroups(kvm ? 1 : 0, &kvm);
}

static int become(const struct program *program)
{
	if (getuid() == 0 && program->uid != 0 &&
	    (set_groups(program) < 0 || setresgid(program->gid, program->gid, program->gid) < 0 ||
	     setresuid(program->uid, program->uid, program->uid) < 0))
		return -errno;
	/* A starter that was killed is followed by another one, which wants the port and the sockets. */
	return prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 ? -errno : 0;
}

static size_t program_arguments(const struct starter *starter, const struct program *program, const char **argv,
				char numbers[4][24])
{
	size_t n = 1;

	if (strcmp(program->name, "spawn") == 0) {
		n = spawn_arguments(starter, argv, n, numbers);
	} else if (starter->conf_path) {
		argv[n++] = "--config";
		argv[n++] = starter->conf_path;
	}
	return n;
}

static void __attribute__((noreturn))
program_exec(const struct starter *starter, const struct program *program, pid_t parent)
{
	const char *argv[ARGS_MAX];
	char path[PATH_MAX], numbers[4][24];
	sigset_t none;
	int r;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (program_path(starter, program, path) < 0)
		_exit(127);
	argv[0] = path;
	argv[program_arguments(starter, program, argv, numbers)] = NULL;
	r = become(program);
	if (r < 0) {
		log_error("hotdesk-%s: cannot become uid %u: %s", program->name, program->uid, strerror(-r));
		_exit(127);
	}
	if (getppid() != parent)
		_exit(0);
	execv(path, (char *const *)argv);
	log_error("%s: %s", path, strerror(errno));
	_exit(127);
}

int program_start(const struct starter *starter, struct program *program, uint64_t now, struct error *err)
{
	pid_t pid, parent = getpid();
	int r = program_prepare(starter, program, err);

	if (r < 0)
		return r;
	pid = fork();
	if (pid < 0)
		return error_set_errno(err, -errno, "cannot make a process");
	if (pid == 0)
		program_exec(starter, program, parent);
	program->pid = pid;
	program->started = now;
	write_pid(starter, program);
	return 0;
}

void program_ended(struct program *program, int status, uint64_t now)
{
	if (now - program->started > STEADY)
		program->backoff = 0;
	program->backoff = program->backoff == 0                 ? BACKOFF_FIRST
			   : program->backoff < BACKOFF_MOST / 2 ? program->backoff * 2
								 : BACKOFF_MOST;
	program->start_at = now + program->backoff;
	program->pid = 0;
	if (WIFSIGNALED(status))
		log_warning("hotdesk-%s was ended by signal %d (%s); started again in %.1f s", program->name,
			    WTERMSIG(status), strsignal(WTERMSIG(status)), (double)program->backoff / 1e6);
	else
		log_warning("hotdesk-%s ended with exit code %d; started again in %.1f s", program->name,
			    WEXITSTATUS(status), (double)program->backoff / 1e6);
}
