/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/settings.h"

#include "common/fs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int settings_time(int64_t unix_usec)
{
	struct timespec time = {.tv_sec = unix_usec / 1000000, .tv_nsec = (long)(unix_usec % 1000000) * 1000};

	return clock_settime(CLOCK_REALTIME, &time) < 0 ? -errno : 0;
}

static int write_line(const char *path, const char *text, mode_t mode)
{
	char line[128];
	int size = snprintf(line, sizeof(line), "%s\n", text);

	return fs_write_atomic(path, line, (size_t)size, mode);
}

int settings_hostname(const char *hostname)
{
	if (sethostname(hostname, strlen(hostname)) < 0)
		return -errno;
	return write_line("/etc/hostname", hostname, 0644);
}

int settings_machine_id(const char *id)
{
	return write_line("/etc/machine-id", id, 0444);
}
