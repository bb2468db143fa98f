/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `hotdesk doctor`: looks at this machine and what runs on it; changes nothing. Each part adds its findings. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "broker/cli/findings.h"
#include "common/conf.h"

#include <stdbool.h>

struct doctor {
	const struct conf *conf;
	struct findings *findings;
	struct json_object *host; /* the reply of `host show`; NULL: broker or host do not answer */
};

/* user: whose login is tried, or NULL; all: unpublished images too. 0, or 1 when there is a problem. */
int doctor_run(const struct conf *conf, const char *user, bool all, bool json);

/* doctor_system.c */
void doctor_kvm(struct doctor *doctor);
void doctor_network(struct doctor *doctor);
void doctor_sound(struct doctor *doctor);
void doctor_cgroup(struct doctor *doctor);
void doctor_disk(struct doctor *doctor);
/* doctor_rights.c */
void doctor_rights(struct doctor *doctor);
/* doctor_certificate.c */
void doctor_certificate(struct doctor *doctor);
/* doctor_pam.c */
void doctor_pam(struct doctor *doctor);
/* doctor_login.c: asks for the password. */
void doctor_login(struct doctor *doctor, const char *user);
/* doctor_programs.c: also fills in host. */
void doctor_programs(struct doctor *doctor);
/* doctor_images.c: reads whole disks. */
void doctor_images(struct doctor *doctor, bool all);

#endif
