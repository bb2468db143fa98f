/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The PAM service's file: there, and able to let somebody in. */
#include "broker/cli/doctor.h"
#include "broker/cli/pam_service.h"
#include "common/cleanup.h"
#include "common/fs.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define SERVICE_MAX (256u << 10)
#define EXAMPLE "two lines like `auth required pam_unix.so` and `account required pam_unix.so`"

static bool module_there(const char *name)
{
	static const char *const places[] = {"/usr/lib/*/security", "/lib/security", "/usr/lib/security",
					     "/lib64/security"};
	glob_t found;

	if (name[0] == '/')
		return access(name, R_OK) == 0;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char pattern[PATH_MAX];
		int r = fs_path(pattern, sizeof(pattern), "%s/%s", places[i], name);

		if (r == 0 && (r = glob(pattern, 0, NULL, &found)) == 0)
			globfree(&found);
		if (r == 0)
			return true;
	}
	return false;
}

struct modules {
	struct doctor *doctor;
	unsigned missing;
};

static void check_module(const char *name, void *userdata)
{
	struct modules *modules = userdata;

	if (module_there(name))
		return;
	if (modules->missing++ == 0)
		findings_add(modules->doctor->findings, FINDING_PROBLEM, "pam",
			     "install the package libpam-... that has it, or correct the name",
			     "the module %s of the PAM service is not on this machine", name);
}

static const char *fault_of(const struct pam_service *service)
{
	if (!service->auth)
		return "has no line for auth: nobody can log in";
	if (!service->account)
		return "has no line for account: nobody can log in";
	if (service->anybody)
		return "accepts every password: pam_permit.so is all of its auth";
	return NULL;
}

static void judge(struct doctor *doctor, const char *path, const char *text)
{
	struct modules modules = {.doctor = doctor};
	struct pam_service service = pam_service_read(text, check_module, &modules);
	const char *fault = fault_of(&service);
	struct stat st;

	if (service.wrong_line > 0)
		findings_add(doctor->findings, FINDING_PROBLEM, "pam", "see pam.d(5)",
			     "line %u of %s is no rule of PAM", service.wrong_line, path);
	else if (fault)
		findings_add(doctor->findings, FINDING_PROBLEM, "pam", "it needs " EXAMPLE, "%s %s", path, fault);
	else if (stat(path, &st) == 0 && (st.st_mode & 022))
		findings_add(doctor->findings, FINDING_PROBLEM, "pam", "chmod 0644 it",
			     "%s may be written by others than its owner", path);
	else if (modules.missing == 0)
		findings_add(doctor->findings, FINDING_OK, "pam", NULL, "%s has auth and account, and their modules",
			     path);
}

void doctor_pam(struct doctor *doctor)
{
	const char *directory = conf_string(doctor->conf, CONF_AUTH_PAM_DIR),
		   *service = conf_string(doctor->conf, CONF_AUTH_SERVICE);
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	int r = fs_path(path, sizeof(path), "%s/%s", directory[0] ? directory : "/etc/pam.d", service);

	if (r == 0)
		r = fs_read_file(path, SERVICE_MAX, &text, NULL);
	if (r == 0)
		judge(doctor, path, text);
	else if (r == -EACCES)
		findings_add(doctor->findings, FINDING_NOTE, "pam", "run it as root", "%s may not be read", path);
	else
		findings_add(doctor->findings, FINDING_PROBLEM, "pam",
			     "make it, with " EXAMPLE ", or name another by pam-service in [auth]",
			     "the PAM service %s cannot be read: %s", path, strerror(-r));
}
