/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/spawn/nat.h"

#include "common/cleanup.h"
#include "common/fs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define NFT_SECONDS 10
#define RESOLV_CONF_MAX (64u << 10)

/* Only an address that inet_pton knows gets into the rules. */
static void nat_resolver(FILE *out, uid_t first, uid_t last, const char *line)
{
	char address[INET6_ADDRSTRLEN + 1];
	unsigned char bytes[sizeof(struct in6_addr)];
	const char *family = NULL;

	if (sscanf(line, "nameserver%*[ \t]%46[^ \t\n]", address) != 1)
		return;
	if (inet_pton(AF_INET, address, bytes) == 1)
		family = "ip";
	else if (inet_pton(AF_INET6, address, bytes) == 1)
		family = "ip6";
	if (family)
		fprintf(out, "\t\tmeta skuid %u-%u %s daddr %s meta l4proto { tcp, udp } th dport 53 accept\n", first,
			last, family, address);
}

char *nat_rules(uid_t first, uid_t last, const char *resolvers)
{
	static const char *const closed[] = {
	    "fib daddr type { local, broadcast, multicast }",
	    ("ip daddr { 0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, "
	     "192.168.0.0/16, 224.0.0.0/3 }"),
	    "ip6 daddr { ::1, fc00::/7, fe80::/10, ff00::/8 }",
	};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	/* Declared, deleted, declared: replaces an older table in one transaction. */
	fputs("table inet hotdesk\ndelete table inet hotdesk\ntable inet hotdesk {\n\tchain output {\n"
	      "\t\ttype filter hook output priority 0; policy accept;\n",
	      out);
	for (const char *line = resolvers; *line; line += strcspn(line, "\n"), line += *line == '\n')
		nat_resolver(out, first, last, line);
	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
		fprintf(out, "\t\tmeta skuid %u-%u %s drop\n", first, last, closed[i]);
	fputs("\t}\n}\n", out);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static int rules_to_memfd(const char *rules)
{
	_cleanup_close_ int fd = memfd_create("nft-rules", MFD_CLOEXEC);
	int r = fd < 0 ? -errno : fd_write_all(fd, rules, strlen(rules));

	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* Runs once, before the first request is served. */
static int nft_run(int rules_fd, struct error *err)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return error_set_errno(err, -errno, "cannot make a process for nft");
	if (pid == 0) {
		char *const argv[] = {"nft", "-f", "-", NULL}, *const environment[] = {NULL};

		sigset_t none;

		/* A netlink that never answers must not keep the desktops from starting: SIGALRM ends nft. */
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		alarm(NFT_SECONDS);
		if (dup2(rules_fd, STDIN_FILENO) >= 0)
			execve("/usr/sbin/nft", argv, environment);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_set_errno(err, -errno, "cannot wait for nft");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return error_set(err, -ENOENT, "nft cannot be run: install the package nftables");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return error_set(err, -EPERM,
				 "nft did not load the table: the kernel or this container has no nf_tables");
	return 0;
}

int nat_load(uid_t first, uid_t last, struct error *err)
{
	_cleanup_free_ char *resolvers = NULL, *rules = NULL;
	_cleanup_close_ int fd = -1;

	(void)fs_read_file("/etc/resolv.conf", RESOLV_CONF_MAX, &resolvers, NULL);
	rules = nat_rules(first, last, resolvers ? resolvers : "");
	if (!rules)
		return error_set(err, -ENOMEM, "out of memory");
	fd = rules_to_memfd(rules);
	return fd < 0 ? error_set_errno(err, fd, "cannot write the nftables rules") : nft_run(fd, err);
}
