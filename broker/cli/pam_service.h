/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What can be said of a PAM service file without asking PAM (pam.d(5)). Pure. */
#ifndef CLI_PAM_SERVICE_H
#define CLI_PAM_SERVICE_H

#include <stdbool.h>

#define PAM_MODULE_MAX 256

struct pam_service {
	bool auth, account;  /* there is a line of it, or an include that may hold one */
	bool anybody;        /* each auth line is pam_permit.so */
	unsigned wrong_line; /* the first that is none of pam.d(5), from 1; 0: none */
};

/* module: called for each line's module, also when several lines name it; may be NULL. */
struct pam_service pam_service_read(const char *text, void (*module)(const char *name, void *userdata), void *userdata);

#endif
