/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A PAM module that agrees to all and writes a line about each call to the file that is its argument. */
#include <security/pam_modules.h>
#include <stdio.h>

static int record(int argc, const char **argv, const char *what, int flags)
{
	FILE *file = argc == 1 ? fopen(argv[0], "ae") : NULL;

	if (!file)
		return PAM_SYSTEM_ERR;
	fprintf(file, "%s%s%s\n", what, flags & PAM_ESTABLISH_CRED ? " establish" : "",
		flags & PAM_DELETE_CRED ? " delete" : "");
	return fclose(file) == 0 ? PAM_SUCCESS : PAM_SYSTEM_ERR;
}

int pam_sm_authenticate(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	(void)pam;
	(void)flags;
	return record(argc, argv, "authenticate", 0);
}

int pam_sm_setcred(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	(void)pam;
	return record(argc, argv, "setcred", flags);
}

int pam_sm_acct_mgmt(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	(void)pam;
	(void)flags;
	return record(argc, argv, "acct_mgmt", 0);
}

int pam_sm_open_session(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	(void)pam;
	(void)flags;
	return record(argc, argv, "open_session", 0);
}
