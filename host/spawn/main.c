/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hotdesk-spawn: the one program with full root. No D-Bus, no store, no configuration file. */
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/program.h"
#include "common/user.h"
#include "host/spawn/child.h"
#include "host/spawn/nat.h"
#include "host/spawn/server.h"
#include "host/spawn/spawn_api.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/resource.h>

#define FILES_WANTED 65536

static void usage(FILE *out)
{
	fputs("usage: hotdesk-spawn --runtime-dir DIR [--host-uid N] [--broker-uid N] [--vm-uid-first N --vm-uid-count "
	      "N]\n"
	      "Starts desktops and viewers for hotdesk-host and hotdesk-broker. The starter or its unit calls it.\n",
	      out);
}

static int parse_number(const char *text, uint32_t *ret)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || end == text || number >= UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)number;
	return 0;
}

static int parse_options(int argc, char **argv, struct spawn_settings *settings)
{
	static const struct option options[] = {
	    {"runtime-dir", required_argument, NULL, 'r'},
	    {"host-uid", required_argument, NULL, 'h'},
	    {"broker-uid", required_argument, NULL, 'b'},
	    {"vm-uid-first", required_argument, NULL, 'f'},
	    {"vm-uid-count", required_argument, NULL, 'c'},
	    {"version", no_argument, NULL, 'v'},
	    {"help", no_argument, NULL, 'H'},
	    {NULL, 0, NULL, 0},
	};
	int option, r = 0;

	while (r == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'r':
			settings->runtime_dir = optarg;
			break;
		case 'h':
			r = parse_number(optarg, &settings->host_uid);
			break;
		case 'b':
			r = parse_number(optarg, &settings->broker_uid);
			break;
		case 'f':
			r = parse_number(optarg, &settings->vm_uid_first);
			break;
		case 'c':
			r = parse_number(optarg, &settings->vm_uid_count);
			break;
		case 'v':
			puts("hotdesk-spawn " HOTDESK_VERSION);
			exit(0);
		case 'H':
			usage(stdout);
			exit(0);
		default:
			r = -EINVAL;
		}
	}
	return r < 0 || optind != argc || !settings->runtime_dir ? -EINVAL : 0;
}

/* Neither a user of the system nor one of the programs may lie among the children's uids. */
static int check_range(const struct spawn_settings *settings)
{
	uint32_t first = settings->vm_uid_first, count = settings->vm_uid_count;

	if (first < 1000 || count < 2 || count > UINT32_MAX - 1 - first || settings->host_uid - first < count ||
	    settings->broker_uid - first < count) {
		log_error(
		    "%u uids from %u are no range for desktops alone: see vm-uid-first and vm-uid-count in [run-as]",
		    count, first);
		return -EINVAL;
	}
	return 0;
}

/* One pidfd for each child: as many as this process may have. */
static void raise_files(void)
{
	struct rlimit files, more = {FILES_WANTED, FILES_WANTED};

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	if (files.rlim_max >= FILES_WANTED || setrlimit(RLIMIT_NOFILE, &more) < 0) {
		files.rlim_cur = files.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &files) < 0)
			log_warning("cannot raise the limit of open files: %s", strerror(errno));
	}
}

/* Root: children get uids of their own, and what these may reach by the user network is fenced before any of them
 * exists. */
static void prepare_root(struct spawn_settings *settings)
{
	struct error err = {0};

	if (geteuid() != 0) {
		snprintf(settings->no_nat, sizeof(settings->no_nat), "hotdesk-spawn runs without root");
		return;
	}
	settings->flags |= SPAWN_FLAG_ROOT;
	settings->kvm_group = user_kvm_group();
	settings->namespaces = child_can_unshare();
	if (!settings->namespaces)
		log_warning(
		    "viewers run in this machine's network namespace: the kernel or this container allows no other");
	if (nat_load(settings->vm_uid_first, settings->vm_uid_first + settings->vm_uid_count - 1, &err) == 0) {
		settings->flags |= SPAWN_FLAG_NAT;
		return;
	}
	log_warning("desktops get no network: %s", err.text);
	snprintf(settings->no_nat, sizeof(settings->no_nat), "%.255s", err.text);
}

static int run(const struct spawn_settings *settings, struct error *err)
{
	struct spawn_server *server = NULL;
	sd_event *event = NULL;
	int r = program_loop(&event);

	if (r < 0)
		error_set_errno(err, r, "cannot make an event loop");
	else
		r = spawn_server_new(event, settings, &server, err);
	if (r >= 0) {
		log_notice("ready");
		r = sd_event_loop(event);
	}
	spawn_server_free(server);
	sd_event_unref(event);
	return r;
}

int main(int argc, char **argv)
{
	struct spawn_settings settings = {
	    .host_uid = getuid(), .broker_uid = getuid(), .vm_uid_first = 300000, .vm_uid_count = 20000};
	struct error err = {0};

	log_open("hotdesk-spawn");
	if (parse_options(argc, argv, &settings) < 0) {
		usage(stderr);
		return 2;
	}
	if (geteuid() == 0 && check_range(&settings) < 0)
		return 2;
	raise_files();
	prepare_root(&settings);
	if (run(&settings, &err) < 0) {
		log_error("%s", err.text);
		return 1;
	}
	return 0;
}
