/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/cert.h"
#include "broker/cli/doctor.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "display/gate/certificate.h"
#include "display/gate/certificate_facts.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define PEM_MAX (1u << 20)
#define NOTE_DAYS 30
#define OTHERS 007

static void unreadable(struct doctor *doctor, const char *path, bool own, int r)
{
	if (r == -ENOENT && own)
		findings_add(doctor->findings, FINDING_NOTE, "certificate", NULL,
			     "%s is not there yet: hotdesk-gate makes it at its first start", path);
	else if (r == -EACCES)
		findings_add(doctor->findings, FINDING_NOTE, "certificate", "run it as root", "%s may not be read",
			     path);
	else
		findings_add(doctor->findings, FINDING_PROBLEM, "certificate",
			     own ? "see the disk" : "see certificate and key in [gate]", "%s cannot be read: %s", path,
			     strerror(-r));
}

/* Key and certificate belong together, and nobody else may read the key. */
static bool pair_good(struct doctor *doctor, const char *path, const char *key)
{
	_cleanup_(certificate_clear) struct certificate pair = {0};
	char todo[PATH_MAX + 16];
	struct error err = {0};
	struct stat st;
	int r = certificate_load(path, key, &pair, &err);

	if (r == -EACCES) {
		findings_add(doctor->findings, FINDING_NOTE, "certificate", "run it as root", "%s may not be read",
			     key);
		return true;
	}
	if (r < 0) {
		findings_add(doctor->findings, FINDING_PROBLEM, "certificate", NULL, "%s", err.text);
		return false;
	}
	if (stat(key, &st) < 0 || !(st.st_mode & OTHERS))
		return true;
	snprintf(todo, sizeof(todo), "chmod o= %s", key);
	findings_add(doctor->findings, FINDING_PROBLEM, "certificate", todo, "the key %s may be read by everybody",
		     key);
	return false;
}

static void judge(struct doctor *doctor, const char *path, const char *key, bool own)
{
	const char *renew =
	    own ? "hotdesk cert renew" : "renew it where it comes from, then send SIGHUP to hotdesk-gate";
	_cleanup_free_ char *pem = NULL;
	struct certificate_facts facts;
	int64_t days;
	int r = fs_read_file(path, PEM_MAX, &pem, NULL);

	if (r < 0) {
		unreadable(doctor, path, own, r);
		return;
	}
	if (certificate_facts(pem, &facts) < 0) {
		findings_add(doctor->findings, FINDING_PROBLEM, "certificate", renew, "%s holds no certificate in PEM",
			     path);
		return;
	}
	days = certificate_days_left(facts.not_after, time(NULL));
	if (days < 0)
		findings_add(doctor->findings, FINDING_PROBLEM, "certificate", renew, "%s ended %lld days ago", path,
			     (long long)-days);
	else if (pair_good(doctor, path, key))
		findings_add(doctor->findings, days < NOTE_DAYS ? FINDING_NOTE : FINDING_OK, "certificate",
			     days < NOTE_DAYS ? renew : NULL, "%s is good for %lld days", path, (long long)days);
}

void doctor_certificate(struct doctor *doctor)
{
	char path[PATH_MAX], directory[PATH_MAX], key[PATH_MAX];

	if (cert_paths(doctor->conf, path, directory) < 0 || fs_path(key, sizeof(key), "%s/key.pem", directory) < 0) {
		findings_add(doctor->findings, FINDING_PROBLEM, "certificate", "name a shorter one",
			     "the path in the configuration is too long");
		return;
	}
	judge(doctor, path, directory[0] ? key : conf_string(doctor->conf, CONF_GATE_KEY), directory[0]);
}
