/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the machine offers. */
#include "broker/cli/doctor.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/spawn_client.h"
#include "host/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <spawn.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#define CGROUP_DIRECTORY "/sys/fs/cgroup"
#define NFT "/usr/sbin/nft"
#define CONTROLLERS_MAX 4096
#define DISK_LOW_MIB 1024
#define DISK_NOTE_PERCENT 10

static const char *host_text(const struct doctor *doctor, const char *key)
{
	struct json_object *value = NULL;

	return doctor->host && json_object_object_get_ex(doctor->host, key, &value) ? json_object_get_string(value)
										    : NULL;
}

void doctor_kvm(struct doctor *doctor)
{
	const char *mode = conf_string(doctor->conf, CONF_ACCEL), *accel = host_text(doctor, "accel"),
		   *reason = host_text(doctor, "accel_reason");
	char text[ERROR_TEXT_MAX] = "";
	struct accel_probe probe;

	/* hotdesk-host knows what its own user may. */
	if (!accel || !reason) {
		accel_probe(&probe);
		accel = accel_text(accel_choose(mode, &probe, text));
		reason = text;
	}
	if (strcmp(accel, "none") == 0)
		findings_add(doctor->findings, FINDING_PROBLEM, "kvm", "or set accel = auto in [host]", "%s", reason);
	else
		findings_add(doctor->findings, strcmp(accel, "kvm") == 0 ? FINDING_OK : FINDING_NOTE, "kvm", NULL, "%s",
			     reason);
}

/* Whether nft can speak to the kernel: its exit status, or -errno. */
static int nft_lists(void)
{
	char *const argv[] = {"nft", "list", "tables", NULL}, *const environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	int status = 0, r;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	r = posix_spawn(&pid, NFT, &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

void doctor_network(struct doctor *doctor)
{
	const char *nat = host_text(doctor, "nat");

	if (strcmp(conf_string(doctor->conf, CONF_NETWORK), "none") == 0)
		findings_add(doctor->findings, FINDING_OK, "nftables", NULL,
			     "not needed: network = none in [host], desktops have no network");
	else if (access(NFT, X_OK) < 0)
		findings_add(doctor->findings, FINDING_PROBLEM, "nftables",
			     "install the package nftables and restart hotdesk-spawn, or set network = none in [host]",
			     "there is no " NFT ", so desktops get no network");
	else if (nat && strcmp(nat, "true") == 0)
		findings_add(doctor->findings, FINDING_OK, "nftables", NULL,
			     "hotdesk-spawn has loaded the table that keeps desktops from this machine");
	else if (nat)
		findings_add(doctor->findings, FINDING_PROBLEM, "nftables",
			     "see the log of hotdesk-spawn, or set network = none in [host]",
			     "hotdesk-spawn could not load its table, so desktops get no network");
	else if (geteuid() != 0)
		findings_add(doctor->findings, FINDING_NOTE, "nftables", NULL,
			     NFT " is there; whether the kernel takes tables only root can see");
	else if (nft_lists() == 0)
		findings_add(doctor->findings, FINDING_OK, "nftables", NULL, "nft can list the kernel's tables");
	else
		findings_add(doctor->findings, FINDING_PROBLEM, "nftables",
			     "use a kernel (or container) with nf_tables, or set network = none in [host]",
			     "nft cannot list the kernel's tables, so desktops get no network");
}

void doctor_sound(struct doctor *doctor)
{
	if (spawn_client_has_sound())
		findings_add(doctor->findings, FINDING_OK, "sound", NULL, SPAWN_SOUND_PROGRAM " is there");
	else
		findings_add(doctor->findings, FINDING_NOTE, "sound",
			     "install the package pulseaudio; no other part of it has to run",
			     "there is no " SPAWN_SOUND_PROGRAM ", so desktops are silent; all else of them works");
}

static bool has_word(const char *text, const char *word)
{
	size_t size = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += size)
		if ((at == text || at[-1] == ' ') && (at[size] == ' ' || at[size] == '\n' || at[size] == '\0'))
			return true;
	return false;
}

void doctor_cgroup(struct doctor *doctor)
{
	_cleanup_free_ char *controllers = NULL;
	struct statfs fs;

	if (statfs(CGROUP_DIRECTORY, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
		findings_add(doctor->findings, FINDING_NOTE, "cgroup", NULL,
			     "there is no cgroup v2 at " CGROUP_DIRECTORY ": desktops cannot be limited by it");
	else if (fs_read_file(CGROUP_DIRECTORY "/cgroup.controllers", CONTROLLERS_MAX, &controllers, NULL) < 0 ||
		 !has_word(controllers, "cpu") || !has_word(controllers, "memory"))
		findings_add(doctor->findings, FINDING_NOTE, "cgroup", NULL,
			     "cgroup v2 has no controllers cpu and memory here: desktops cannot be limited by it");
	else
		findings_add(doctor->findings, FINDING_OK, "cgroup", NULL, "cgroup v2 with cpu and memory");
}

/* The state directory, or what is there of the way to it. */
static int state_space(const char *directory, struct statvfs *ret)
{
	char path[PATH_MAX];
	int r = fs_path(path, sizeof(path), "%s", directory);

	while (r == 0 && statvfs(path, ret) < 0) {
		char *slash = strrchr(path, '/');

		if (errno != ENOENT || !slash)
			return -errno;
		slash[slash == path] = '\0';
	}
	return r;
}

void doctor_disk(struct doctor *doctor)
{
	const char *directory = conf_string(doctor->conf, CONF_STATE_DIR);
	struct statvfs space = {0};
	int r = state_space(directory, &space);
	uint64_t mib, percent;

	if (r < 0) {
		findings_add(doctor->findings, FINDING_NOTE, "disk", NULL, "the disk of %s cannot be looked at: %s",
			     directory, strerror(-r));
		return;
	}
	mib = (uint64_t)space.f_bavail * space.f_frsize >> 20;
	percent = space.f_blocks > 0 ? 100 * (uint64_t)space.f_bavail / space.f_blocks : 0;
	if (mib < DISK_LOW_MIB)
		findings_add(doctor->findings, FINDING_PROBLEM, "disk",
			     "make room, for example by `hotdesk image prune`; desktops are paused when it is full",
			     "only %llu MiB are free for %s", (unsigned long long)mib, directory);
	else
		findings_add(doctor->findings, percent < DISK_NOTE_PERCENT ? FINDING_NOTE : FINDING_OK, "disk", NULL,
			     "%llu MiB (%llu %%) are free for %s", (unsigned long long)mib, (unsigned long long)percent,
			     directory);
}
