/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/admin_probe.h"

#include "common/cleanup.h"
#include "common/fs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/limits.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>

static bool connects(const struct sockaddr *address, socklen_t size, int type)
{
	_cleanup_close_ int fd = socket(address->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd wait = {.fd = fd, .events = POLLOUT};

	if (fd < 0)
		return false;
	if (connect(fd, address, size) == 0 || errno == EAGAIN)
		return true;
	/* On this machine's own addresses the handshake is over when connect returns. */
	return errno == EINPROGRESS && poll(&wait, 1, 0) == 1 && !(wait.revents & (POLLERR | POLLHUP));
}

bool admin_probe_socket(const char *runtime_dir, const char *name, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (fs_path(address.sun_path, sizeof(address.sun_path), "%s/%s", runtime_dir, name) < 0)
		return false;
	return connects((const struct sockaddr *)&address, sizeof(address), type);
}

/* "[::]:5900, ..." -> "::", "5900". */
static bool split_listen(const char *listen, char *host, size_t host_size, char *port, size_t port_size)
{
	size_t length = strcspn(listen, ", ");
	const char *colon = memrchr(listen, ':', length);
	size_t host_length = colon ? (size_t)(colon - listen) : 0;

	if (!colon)
		return false;
	snprintf(port, port_size, "%.*s", (int)(listen + length - colon - 1), colon + 1);
	if (host_length >= 2 && listen[0] == '[' && colon[-1] == ']') {
		listen++;
		host_length -= 2;
	}
	snprintf(host, host_size, "%.*s", (int)host_length, listen);
	return true;
}

static void read_port(const char *runtime_dir, char *port, size_t size)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];

	if (fs_path(path, sizeof(path), "%s/gate/port", runtime_dir) == 0 && fs_read_file(path, 64, &text, NULL) == 0)
		snprintf(port, size, "%.*s", (int)strspn(text, "0123456789"), text);
}

bool admin_probe_gate(const char *runtime_dir, const char *listen)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char host[64], port[8];
	bool answers;

	if (!split_listen(listen, host, sizeof(host), port, sizeof(port)))
		return false;
	if (strcmp(port, "0") == 0)
		read_port(runtime_dir, port, sizeof(port));
	if (!host[0] || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "*") == 0)
		snprintf(host, sizeof(host), "127.0.0.1");
	else if (strcmp(host, "::") == 0)
		snprintf(host, sizeof(host), "::1");
	if (getaddrinfo(host, port, &hints, &found) != 0)
		return false;
	answers = connects(found->ai_addr, found->ai_addrlen, SOCK_STREAM);
	freeaddrinfo(found);
	return answers;
}
