/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/gate/listen.h"

#include "common/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#define BACKLOG 1024

static int parse_port(const char *text, in_port_t *ret)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || port > 65535)
		return -EINVAL;
	*ret = htons((uint16_t)port);
	return 0;
}

/* item is changed: "[::1]:5900" or "127.0.0.1:5900". */
static int parse_address(char *item, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)ret;
	char *colon = strrchr(item, ':');
	size_t length;

	memset(ret, 0, sizeof(*ret));
	if (!colon)
		return -EINVAL;
	*colon = '\0';
	length = strlen(item);
	if (item[0] == '[' && length > 2 && item[length - 1] == ']') {
		item[length - 1] = '\0';
		v6->sin6_family = AF_INET6;
		return inet_pton(AF_INET6, item + 1, &v6->sin6_addr) == 1 ? parse_port(colon + 1, &v6->sin6_port)
									  : -EINVAL;
	}
	v4->sin_family = AF_INET;
	return inet_pton(AF_INET, item, &v4->sin_addr) == 1 ? parse_port(colon + 1, &v4->sin_port) : -EINVAL;
}

static int open_one(const struct sockaddr_storage *address)
{
	_cleanup_close_ int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t size = address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	const int on = 1, off = 0;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	/* "[::]" serves IPv4 as well, whatever the system's default. */
	if (address->ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (const struct sockaddr *)address, size) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* A kernel without IPv6 still gets its IPv4 listener from "[::]:PORT". */
static int open_any(struct sockaddr_storage *address)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
	int fd = open_one(address);

	if (fd == -EAFNOSUPPORT && address->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) {
		struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = v6->sin6_port};

		memset(address, 0, sizeof(*address));
		memcpy(address, &v4, sizeof(v4));
		fd = open_one(address);
	}
	return fd;
}

static int open_item(char *item, struct error *err)
{
	struct sockaddr_storage address;
	char text[128];
	int fd;

	snprintf(text, sizeof(text), "%.100s", item);
	if (parse_address(item, &address) < 0)
		return error_set(err, -EINVAL,
				 "[gate] listen: %s is not ADDRESS:PORT, such as 0.0.0.0:5900 or [::]:5900", text);
	fd = open_any(&address);
	if (fd == -EADDRINUSE)
		return error_set(err, fd,
				 "[gate] listen: another program listens at %s: stop it or choose another port", text);
	return fd < 0 ? error_set_errno(err, fd, "[gate] listen: cannot listen at %s", text) : fd;
}

int listen_open(const char *spec, int fds[LISTEN_MAX], size_t *ret_n, struct error *err)
{
	_cleanup_free_ char *copy = strdup(spec);
	char *save;
	size_t n = 0;
	int fd = 0;

	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	for (char *item = strtok_r(copy, ", \t", &save); item && fd >= 0; item = strtok_r(NULL, ", \t", &save)) {
		fd = n == LISTEN_MAX ? error_set(err, -E2BIG, "[gate] listen: at most %d addresses", LISTEN_MAX)
				     : open_item(item, err);
		if (fd >= 0)
			fds[n++] = fd;
	}
	if (fd >= 0 && n == 0)
		fd = error_set(err, -EINVAL, "[gate] listen is empty");
	if (fd < 0) {
		while (n > 0)
			close(fds[--n]);
		return fd;
	}
	*ret_n = n;
	return 0;
}

int listen_port(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = {.v6 = {0}};
	socklen_t size = sizeof(address);

	if (getsockname(fd, &address.any, &size) < 0)
		return -errno;
	return ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
}

void address_text(const struct sockaddr_storage *address, char *text, size_t size)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
	bool mapped = address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
	char name[INET6_ADDRSTRLEN] = "?";

	if (address->ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, name, sizeof(name));
	else if (mapped)
		inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, name, sizeof(name));
	else
		inet_ntop(AF_INET6, &v6->sin6_addr, name, sizeof(name));
	snprintf(text, size, "%s %u", name, ntohs(address->ss_family == AF_INET ? v4->sin_port : v6->sin6_port));
}
