/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/gate/names.h"

#include "common/cleanup.h"
#include "common/fs.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define NAMES_MAX 256
#define NAME_SIZE 264

struct names {
	char list[NAMES_MAX][NAME_SIZE];
	size_t n;
};

static bool is_dns_name(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > 253 || name[0] == '.' || name[0] == '-')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '.' && *name != '-' && *name != '*' && *name != '_')
			return false;
	return true;
}

static void names_add(struct names *names, const char *name)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	bool address = inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
	char entry[NAME_SIZE];

	if ((!address && !is_dns_name(name)) || names->n == NAMES_MAX)
		return;
	snprintf(entry, sizeof(entry), "%s:%s", address ? "IP" : "DNS", name);
	for (size_t i = 0; i < names->n; i++)
		if (strcasecmp(names->list[i], entry) == 0)
			return;
	memcpy(names->list[names->n++], entry, sizeof(entry));
}

/* All names of a line of hosts(5) in which one of them is the host's. */
static void names_add_aliases(struct names *names, const char *host)
{
	_cleanup_free_ char *hosts = NULL;
	char *save_line, *save_word;

	if (fs_read_file("/etc/hosts", 1 << 20, &hosts, NULL) < 0)
		return;
	for (char *line = strtok_r(hosts, "\n", &save_line); line; line = strtok_r(NULL, "\n", &save_line)) {
		char *words[16];
		size_t n = 0;
		bool ours = false;

		line[strcspn(line, "#")] = '\0';
		for (char *word = strtok_r(line, " \t", &save_word); word && n < 16;
		     word = strtok_r(NULL, " \t", &save_word)) {
			words[n++] = word;
			ours = ours || strcasecmp(word, host) == 0;
		}
		for (size_t i = 1; ours && i < n; i++)
			names_add(names, words[i]);
	}
}

static void names_add_addresses(struct names *names)
{
	struct ifaddrs *list = NULL;
	char text[INET6_ADDRSTRLEN];

	if (getifaddrs(&list) < 0)
		return;
	for (const struct ifaddrs *at = list; at; at = at->ifa_next) {
		const void *address = NULL;

		if (!at->ifa_addr || !(at->ifa_flags & IFF_UP))
			continue;
		if (at->ifa_addr->sa_family == AF_INET)
			address = &((const struct sockaddr_in *)(const void *)at->ifa_addr)->sin_addr;
		else if (at->ifa_addr->sa_family == AF_INET6)
			address = &((const struct sockaddr_in6 *)(const void *)at->ifa_addr)->sin6_addr;
		if (address && inet_ntop(at->ifa_addr->sa_family, address, text, sizeof(text)))
			names_add(names, text);
	}
	freeifaddrs(list);
}

static void names_add_list(struct names *names, const char *list)
{
	_cleanup_free_ char *copy = strdup(list);
	char *save;

	for (char *name = copy ? strtok_r(copy, ", \t", &save) : NULL; name; name = strtok_r(NULL, ", \t", &save))
		names_add(names, name);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

char *names_of_host(const char *extra)
{
	_cleanup_free_ struct names *names = calloc(1, sizeof(*names));
	char host[256] = "", *text;
	size_t size = 1;

	if (!names)
		return NULL;
	names_add_list(names, extra);
	if (gethostname(host, sizeof(host) - 1) == 0) {
		names_add(names, host);
		names_add_aliases(names, host);
	}
	names_add_list(names, "localhost,127.0.0.1,::1");
	names_add_addresses(names);
	qsort(names->list, names->n, sizeof(names->list[0]), by_text);
	for (size_t i = 0; i < names->n; i++)
		size += strlen(names->list[i]) + 1;
	text = calloc(1, size);
	for (size_t i = 0; text && i < names->n; i++) {
		strcat(text, i ? "," : "");   /* NOLINT: sized above */
		strcat(text, names->list[i]); /* NOLINT */
	}
	return text;
}
