/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/facts.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "host/json.h"
#include "host/spawn/spawn_api.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#define QEMU "/usr/bin/qemu-system-x86_64"

/* MiB from a line of /proc/meminfo, -1 where it is missing. */
static int64_t meminfo_mib(const char *meminfo, const char *key)
{
	const char *at = meminfo ? strstr(meminfo, key) : NULL;

	return at ? strtoll(at + strlen(key), NULL, 10) >> 10 : -1;
}

static int64_t disk_free_mib(const char *directory)
{
	struct statvfs room;

	if (statvfs(directory, &room) < 0)
		return -1;
	return (int64_t)(((uint64_t)room.f_bavail * room.f_frsize) >> 20);
}

struct json_object *facts_json(const struct facts *facts)
{
	struct json_object *object = json_object_new_object();
	_cleanup_free_ char *meminfo = NULL;
	bool good = true;

	if (fs_read_file("/proc/meminfo", 64u << 10, &meminfo, NULL) < 0)
		meminfo = NULL;
	json_put(object, "accel", json_object_new_string(accel_text(facts->accel)), &good);
	json_put(object, "accel_reason", json_object_new_string(facts->accel_reason), &good);
	json_put(object, "cpus", json_object_new_int64(sysconf(_SC_NPROCESSORS_ONLN)), &good);
	json_put(object, "memory_mib", json_object_new_int64(meminfo_mib(meminfo, "MemTotal:")), &good);
	json_put(object, "memory_free_mib", json_object_new_int64(meminfo_mib(meminfo, "MemAvailable:")), &good);
	json_put(object, "disk_free_mib", json_object_new_int64(disk_free_mib(facts->state_dir)), &good);
	json_put(object, "nat", json_object_new_boolean((facts->spawn_flags & SPAWN_FLAG_NAT) != 0), &good);
	json_put(object, "root", json_object_new_boolean((facts->spawn_flags & SPAWN_FLAG_ROOT) != 0), &good);
	json_put(object, "qemu_version", json_object_new_string(facts->qemu_version), &good);
	if (good)
		return object;
	json_object_put(object);
	return NULL;
}

static int run_qemu(int output, pid_t *ret)
{
	static char program[] = "qemu-system-x86_64", option[] = "--version";
	char *const argv[] = {program, option, NULL}, *const environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int r;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	r = posix_spawn(ret, QEMU, &actions, &attributes, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -r;
}

/* "QEMU emulator version 7.2.22 (Debian ...)" */
static void parse_version(const char *text, char *ret)
{
	static const char before[] = "version ";
	const char *at = strstr(text, before);

	if (!at)
		return;
	at += strlen(before);
	snprintf(ret, FACTS_VERSION_SIZE, "%.*s", (int)strcspn(at, " \n"), at);
}

void facts_qemu_version(char ret[FACTS_VERSION_SIZE])
{
	_cleanup_close_ int from = -1, to = -1;
	char text[256];
	int pipes[2];
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	ret[0] = '\0';
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return;
	from = pipes[0];
	to = pipes[1];
	if (run_qemu(to, &pid) < 0)
		return;
	close(steal_fd(&to));
	while (used < sizeof(text) - 1 && (n = read(from, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	close(steal_fd(&from));
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	parse_version(text, ret);
}
