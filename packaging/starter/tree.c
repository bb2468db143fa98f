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

static int processes_read(struct process **ret, size_t *ret_n)
{
	_cleanup_free_ struct process *list = NULL;
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t n = 0, room = 0;

	if (!proc)
		return -errno;
	while ((entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (n == room) {
			struct process *larger = realloc(list, (room = room ? room * 2 : 256) * sizeof(*list));

			if (!larger) {
				closedir(proc);
				return -ENOMEM;
			}
			list = larger;
		}
		if (process_read((pid_t)strtol(entry->d_name, NULL, 10), &list[n]) == 0)
			n++;
	}
	closedir(proc);
	*ret = steal_ptr(list);
	*ret_n = n;
	return 0;
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

ssize_t tree_below(pid_t **ret)
{
	_cleanup_free_ struct process *list = NULL;
	size_t n = 0, found = 0;
	bool grew = true;
	pid_t *pids;
	int r = processes_read(&list, &n);

	if (r < 0)
		return r;
	while (grew) {
		grew = false;
		for (size_t i = 0; i < n; i++)
			if (!list[i].below && is_below(list, n, list[i].parent))
				grew = list[i].below = true;
	}
	pids = calloc(n + 1, sizeof(*pids));
	if (!pids)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (list[i].below)
			pids[found++] = list[i].pid;
	*ret = pids;
	return (ssize_t)found;
}

size_t tree_signal(int signal)
{
	_cleanup_free_ pid_t *pids = NULL;
	ssize_t n = tree_below(&pids);
	size_t sent = 0;

	for (ssize_t i = 0; i < n; i++)
		if (kill(pids[i], signal) == 0)
			sent++;
	return sent;
}
