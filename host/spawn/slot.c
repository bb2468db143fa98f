/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/spawn/slot.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "host/spawn/table.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>

#define RECORD_MAX 512
#define BOOT_ID_SIZE 37 /* a UUID with its NUL */

struct slots {
	char *directory;
	char boot_id[BOOT_ID_SIZE];
	struct slot *list;
};

static int read_start_time(pid_t pid, unsigned long long *ret)
{
	_cleanup_free_ char *stat = NULL;
	char path[64], *at;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	r = fs_read_file(path, 4096, &stat, NULL);
	if (r < 0)
		return r;
	/* The command's name, in brackets, may hold anything; starttime is field 22, the 20th behind it (proc(5)). */
	at = strrchr(stat, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return -EBADMSG;
	*ret = strtoull(at, NULL, 10);
	return 0;
}

static int slot_path(const struct slots *slots, enum spawn_kind kind, uint32_t number, char path[PATH_MAX])
{
	return fs_path(path, PATH_MAX, "%s/%s-%u", slots->directory, spawn_table[kind].name, number);
}

static void slot_free(struct slot *slot)
{
	closep(&slot->pidfd);
	free(slot);
}

static void slots_drop(struct slots *slots, struct slot **at)
{
	struct slot *slot = *at;
	char path[PATH_MAX];

	*at = slot->next;
	if (slot_path(slots, slot->kind, slot->number, path) == 0)
		unlink(path);
	slot_free(slot);
}

static int slot_alive(const struct slot *slot)
{
	struct pollfd poll_fd = {.fd = slot->pidfd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 0;
}

static int slots_push(struct slots *slots, enum spawn_kind kind, uint32_t number, pid_t pid, int pidfd,
		      unsigned long long start_time, const char *tag)
{
	struct slot *slot = calloc(1, sizeof(*slot));

	if (!slot) {
		close(pidfd);
		return -ENOMEM;
	}
	slot->kind = kind;
	slot->number = number;
	slot->pid = pid;
	slot->pidfd = pidfd;
	slot->start_time = start_time;
	snprintf(slot->tag, sizeof(slot->tag), "%s", tag);
	slot->next = slots->list;
	slots->list = slot;
	return 0;
}

/* Opens the recorded process; its start time is read after pidfd_open, so that the pid cannot change hands in between.
 */
static int slot_reopen(pid_t pid, unsigned long long start_time)
{
	_cleanup_close_ int pidfd = pidfd_open(pid, 0);
	unsigned long long now;
	int r;

	if (pidfd < 0)
		return -errno;
	r = read_start_time(pid, &now);
	if (r < 0)
		return r;
	return now == start_time ? steal_fd(&pidfd) : -ESRCH;
}

static int slots_load_record(struct slots *slots, enum spawn_kind kind, uint32_t number, const char *path)
{
	_cleanup_free_ char *text = NULL;
	char boot_id[BOOT_ID_SIZE] = "";
	unsigned long long start_time;
	int pid, pidfd, tag_at = 0;
	int r = fs_read_file(path, RECORD_MAX, &text, NULL);

	if (r < 0)
		return r;
	/* Written by slots_write; NOLINTNEXTLINE(cert-err34-c): what the numbers became is checked by the start time */
	if (sscanf(text, "%d %llu %36s %n", &pid, &start_time, boot_id, &tag_at) != 3 || pid <= 0 || tag_at == 0)
		return -EBADMSG;
	if (strcmp(boot_id, slots->boot_id) != 0)
		return -ESRCH;
	pidfd = slot_reopen(pid, start_time);
	return pidfd < 0 ? pidfd : slots_push(slots, kind, number, pid, pidfd, start_time, text + tag_at);
}

static void slots_load_entry(struct slots *slots, const char *name)
{
	char path[PATH_MAX];

	if (fs_path(path, sizeof(path), "%s/%s", slots->directory, name) < 0)
		return;
	for (int kind = 0; kind < SPAWN_KINDS; kind++) {
		size_t length = strlen(spawn_table[kind].name);
		char *end;
		unsigned long number;

		if (strncmp(name, spawn_table[kind].name, length) != 0 || name[length] != '-')
			continue;
		number = strtoul(name + length + 1, &end, 10);
		/* A half-written ".new" of a killed spawn was never told to anybody. */
		if (*end != '\0' || number >= SPAWN_SLOTS_MAX ||
		    slots_load_record(slots, (enum spawn_kind)kind, (uint32_t)number, path) < 0)
			unlink(path);
	}
}

static int slots_read_boot_id(struct slots *slots)
{
	_cleanup_free_ char *id = NULL;
	int r = fs_read_file("/proc/sys/kernel/random/boot_id", 64, &id, NULL);

	if (r == 0)
		snprintf(slots->boot_id, sizeof(slots->boot_id), "%.36s", id);
	return r;
}

int slots_load(const char *directory, struct slots **ret)
{
	struct slots *slots = calloc(1, sizeof(*slots));
	struct dirent *entry;
	DIR *dir = NULL;
	int r = -ENOMEM;

	if (!slots || !(slots->directory = strdup(directory)))
		goto out;
	r = slots_read_boot_id(slots);
	if (r < 0)
		goto out;
	dir = opendir(directory);
	r = dir ? 0 : -errno;
	while (dir && (entry = readdir(dir)))
		slots_load_entry(slots, entry->d_name);
out:
	if (dir)
		closedir(dir);
	if (r < 0)
		slots_free(slots);
	else
		*ret = slots;
	return r;
}

void slots_free(struct slots *slots)
{
	if (!slots)
		return;
	while (slots->list) {
		struct slot *slot = slots->list;

		slots->list = slot->next;
		slot_free(slot);
	}
	free(slots->directory);
	free(slots);
}

struct slot *slots_find(struct slots *slots, enum spawn_kind kind, uint32_t number)
{
	for (struct slot **at = &slots->list; *at; at = &(*at)->next) {
		if ((*at)->kind != kind || (*at)->number != number)
			continue;
		if (slot_alive(*at))
			return *at;
		slots_drop(slots, at);
		return NULL;
	}
	return NULL;
}

static int slots_write(const struct slots *slots, const struct slot *slot)
{
	char path[PATH_MAX], record[RECORD_MAX];
	int r = slot_path(slots, slot->kind, slot->number, path);

	if (r < 0)
		return r;
	snprintf(record, sizeof(record), "%d %llu %s %s", (int)slot->pid, slot->start_time, slots->boot_id, slot->tag);
	return fs_write_atomic(path, record, strlen(record), 0600);
}

int slots_add(struct slots *slots, enum spawn_kind kind, uint32_t number, pid_t pid, int pidfd, const char *tag,
	      struct slot **ret)
{
	unsigned long long start_time;
	int r = read_start_time(pid, &start_time);

	if (r < 0) {
		close(pidfd);
		return r;
	}
	r = slots_push(slots, kind, number, pid, pidfd, start_time, tag);
	if (r < 0)
		return r;
	r = slots_write(slots, slots->list);
	if (r < 0) {
		slots_drop(slots, &slots->list);
		return r;
	}
	*ret = slots->list;
	return 0;
}

void slots_reaped(struct slots *slots, pid_t pid)
{
	for (struct slot **at = &slots->list; *at; at = &(*at)->next)
		if ((*at)->pid == pid) {
			slots_drop(slots, at);
			return;
		}
}

size_t slots_signal(struct slots *slots, int signal)
{
	size_t sent = 0;

	for (const struct slot *slot = slots->list; slot; slot = slot->next)
		if (slot_alive(slot) && pidfd_send_signal(slot->pidfd, signal, NULL, 0) == 0)
			sent++;
	return sent;
}
