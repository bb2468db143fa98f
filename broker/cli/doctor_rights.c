/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Users, and who owns the directories. */
#include "broker/cli/doctor.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/user.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define WRITABLE_BY_OTHERS 022
#define OPEN_TO_OTHERS 077

static const struct part {
	const char *name;
	enum conf_id run_as;
	bool private_state; /* others may not even enter it */
} parts[] = {
    {"gate", CONF_RUN_GATE, false},
    {"auth", CONF_RUN_AUTH, true},
    {"broker", CONF_RUN_BROKER, true},
    {"host", CONF_RUN_HOST, false},
};

struct look {
	struct doctor *doctor;
	uid_t starter; /* who owns the directory above: runs what [run-as] leaves open */
	unsigned seen, wrong, hidden;
};

static void check_directory(struct look *look, const struct part *part, const char *above, unsigned mask)
{
	const char *user = conf_string(look->doctor->conf, part->run_as);
	char path[PATH_MAX], todo[PATH_MAX + 64];
	uid_t owner = look->starter;
	struct stat st;

	if (fs_path(path, sizeof(path), "%s/%s", above, part->name) < 0)
		return;
	if (lstat(path, &st) < 0) {
		look->hidden += errno != ENOENT;
		return;
	}
	look->seen++;
	if (user[0] && user_resolve(user, &owner, NULL) < 0)
		return;
	if (!S_ISDIR(st.st_mode) || st.st_uid != owner) {
		look->wrong++;
		snprintf(todo, sizeof(todo), "chown -R %s %s", user[0] ? user : "(the starter's user)", path);
		findings_add(look->doctor->findings, FINDING_PROBLEM, "rights", todo,
			     "%s is not a directory of uid %u, which hotdesk-%s runs as, but of uid %u", path, owner,
			     part->name, st.st_uid);
	} else if (st.st_mode & mask) {
		look->wrong++;
		snprintf(todo, sizeof(todo), "chmod %s %s", mask == OPEN_TO_OTHERS ? "0700" : "0711", path);
		findings_add(look->doctor->findings, FINDING_PROBLEM, "rights", todo,
			     "%s has mode %04o: others than hotdesk-%s may %s", path, st.st_mode & 07777, part->name,
			     mask == OPEN_TO_OTHERS ? "look into it" : "write there");
	}
}

static void check_directories(struct doctor *doctor, const char *above, bool state)
{
	struct look look = {.doctor = doctor};
	struct stat st;

	if (stat(above, &st) < 0) {
		findings_add(doctor->findings, FINDING_NOTE, "rights", NULL, "%s: %s%s", above, strerror(errno),
			     errno == ENOENT ? "; the first start makes it" : "");
		return;
	}
	look.starter = st.st_uid;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		check_directory(&look, &parts[i], above,
				state && parts[i].private_state ? OPEN_TO_OTHERS : WRITABLE_BY_OTHERS);
	if (look.hidden > 0)
		findings_add(doctor->findings, FINDING_NOTE, "rights", "run it as root",
			     "%u directories in %s could not be looked at", look.hidden, above);
	if (look.seen > 0 && look.wrong == 0)
		findings_add(doctor->findings, FINDING_OK, "rights", NULL,
			     "%u directories in %s have the right owners and modes", look.seen, above);
}

/* Whether each name in [run-as] is a user. */
static void check_users(struct doctor *doctor)
{
	unsigned empty = 0;
	uid_t uid;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *user = conf_string(doctor->conf, parts[i].run_as);

		/* root is what hotdesk-auth is there for. */
		empty += !user[0] && parts[i].run_as != CONF_RUN_AUTH;
		if (user_resolve(user, &uid, NULL) < 0)
			findings_add(doctor->findings, FINDING_PROBLEM, "rights",
				     "make it by `adduser --system`, or name another in [run-as]",
				     "there is no user %s for hotdesk-%s", user, parts[i].name);
	}
	if (empty > 0)
		findings_add(doctor->findings, FINDING_NOTE, "rights",
			     "name a user or a number for gate, broker and host in [run-as]",
			     "%u programs run as the user who starts them, without walls between them", empty);
}

void doctor_rights(struct doctor *doctor)
{
	if (geteuid() != 0)
		findings_add(doctor->findings, FINDING_NOTE, "rights", "run it as root (sudo hotdesk doctor)",
			     "not root: what only root may see is left out");
	check_users(doctor);
	check_directories(doctor, conf_string(doctor->conf, CONF_STATE_DIR), true);
	check_directories(doctor, conf_string(doctor->conf, CONF_RUNTIME_DIR), false);
}
