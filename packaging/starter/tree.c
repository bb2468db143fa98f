/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "packaging/starter/tree.h"

#include "common/cleanup.h"
#include "common/fs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

struct process {
	pid_t pid, parent;
	bool below;
};

/* 0, or negative when it is gone or a zombie. */
static int process_read(pid_t pid, struct process *ret)
{
	_cleanup_free_ char *stat = NULL;
	char path[64], state;
	const char *at;
	int parent;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (fs_read_file(path, 4096, &stat, NULL) < 0 || !(at = strrchr(stat, ')')))
		return -ESRCH;
	/* NOLINTNEXTLINE(cert-err34-c): the kernel writes these numbers */
	if (sscanf(at + 1, " %c %d", &state, &parent) != 2 || state == 'Z' || state == 'X')
		return -ESRCH;
	*ret = (struct process){.pid = pid, .parent = parent};
	return 0;
}

/* Makes room for one more. */
static int processes_grow(struct process **list, size_t n, size_t *room)
{
	size_t wanted = *room ? *room * 2 : 256;
	struct process *larger;

	if (n < *room)
		return 0;
	larger = realloc(*list, wanted * sizeof(**list));
	if (!larger)
		return -ENOMEM;
	*list = larger;
	*room = wanted;
	return 0;
}

/* *list is the caller's to free, also on failure. */
static int processes_read(struct process **list, size_t *ret_n)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t n = 0, room = 0;
	int r = 0;

	if (!proc)
		return -errno;
	while (r == 0 && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		r = processes_grow(list, n, &room);
		if (r == 0 && process_read((pid_t)strtol(entry->d_name, NULL, 10), &(*list)[n]) == 0)
			n++;
	}
	closedir(proc);
	*ret_n = n;
	return r;
}

static bool is_below(const struct process *list, size_t n, pid_t parent)
{
	if (parent == getpid())
		return true;
	for (size_t i = 0; i < n; i++)
		if (list[i].pid == parent)
			return list[i].below;
	return false;
}

static void mark_below(struct process *list, size_t n)
{
	bool grew = true;

	while (grew) {
		grew = false;
		for (size_t i = 0; i < n; i++)
			if (!list[i].below && is_below(list, n, list[i].parent))
				grew = list[i].below = true;
	}
}

size_t tree_signal(int signal)
{
	struct process *list = NULL;
	size_t n = 0, sent = 0;

	if (processes_read(&list, &n) == 0)
		mark_below(list, n);
	for (size_t i = 0; i < n; i++)
		if (list[i].below && kill(list[i].pid, signal) == 0)
			sent++;
	free(list);
	return sent;
}
