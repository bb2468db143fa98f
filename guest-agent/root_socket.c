/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/root_socket.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "guest-agent/words.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int root_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = fs_path(address.sun_path, sizeof(address.sun_path), "%s", path);

	if (r < 0)
		return r;
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return steal_fd(&fd);
}

int root_say(int fd, const char *type)
{
	_cleanup_free_ char *line = words_part(type);
	size_t size = line ? strlen(line) : 0;

	if (!line)
		return -ENOMEM;
	return send(fd, line, size, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -EIO;
}
