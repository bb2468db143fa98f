/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/doctor.h"

#include "broker/admin_json.h"
#include "common/cleanup.h"

#include <errno.h>

int doctor_run(const struct conf *conf, const char *user, bool all, bool json)
{
	_cleanup_(findings_freep) struct findings *findings = findings_new();
	struct doctor doctor = {.conf = conf, .findings = findings};

	if (!findings)
		return 1;
	doctor_programs(&doctor);
	doctor_kvm(&doctor);
	doctor_rights(&doctor);
	doctor_cgroup(&doctor);
	doctor_network(&doctor);
	doctor_sound(&doctor);
	doctor_pam(&doctor);
	if (user)
		doctor_login(&doctor, user);
	doctor_certificate(&doctor);
	doctor_disk(&doctor);
	doctor_images(&doctor, all);
	if (json)
		printf("%s\n", json_object_to_json_string_ext(findings_json(findings), JSON_C_TO_STRING_NOSLASHESCAPE));
	else
		findings_print(findings, stdout);
	json_object_put(doctor.host);
	return findings_problems(findings) > 0;
}
