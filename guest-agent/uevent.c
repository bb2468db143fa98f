/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/uevent.h"

#include "common/cleanup.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#define UEVENT_GROUP_KERNEL 1
#define UEVENT_MAX 8192

int uevent_open(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = UEVENT_GROUP_KERNEL};
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return steal_fd(&fd);
}

bool uevent_is_screen(const char *text, size_t size)
{
	bool drm = false, hotplug = false;

	while (size > 0) {
		size_t length = strnlen(text, size);

		if (length == size) /* no NUL behind it */
			return false;
		drm = drm || strcmp(text, "SUBSYSTEM=drm") == 0;
		hotplug = hotplug || strcmp(text, "HOTPLUG=1") == 0;
		text += length + 1;
		size -= length + 1;
	}
	return drm && hotplug;
}

int uevent_drain(int fd)
{
	char buffer[UEVENT_MAX];
	int found = 0;

	for (;;) {
		struct sockaddr_nl from = {0};
		socklen_t from_size = sizeof(from);
		ssize_t n = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &from_size);

		bool lost = n < 0 && errno == ENOBUFS; /* then look at the screen in any case */

		if (n < 0 && errno == EAGAIN)
			return found;
		if (n < 0 && errno != EINTR && !lost)
			return -errno;
		/* 0 is the kernel itself. */
		if (lost || (n > 0 && from.nl_pid == 0 && uevent_is_screen(buffer, (size_t)n)))
			found = 1;
	}
}
