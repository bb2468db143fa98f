/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One authentication attempt, in a process of its own: PAM modules may wait for seconds, keep global state and crash.
 * The server starts `hotdesk-auth --attempt` with a SEQPACKET socket (fd 3) and the password's memfd (fd 4), sends one
 * attempt_request and gets one attempt_result.
 */
#ifndef AUTH_ATTEMPT_H
#define AUTH_ATTEMPT_H

#include "auth/auth_api.h"

#include <stdint.h>

#define ATTEMPT_SOCKET_FD 3
#define ATTEMPT_PASSWORD_FD 4
#define ATTEMPT_NAME_MAX 256 /* bytes with the NUL, of a user name */
#define ATTEMPT_PEER_MAX 80
#define ATTEMPT_PATH_MAX 1024
#define ATTEMPT_GROUPS_SIZE 32768 /* bytes of group names, each with its NUL */

struct attempt_request {
	char name[ATTEMPT_NAME_MAX];
	char peer[ATTEMPT_PEER_MAX];
	char service[ATTEMPT_NAME_MAX];
	char directory[ATTEMPT_PATH_MAX]; /* "" : the system's */
	uint32_t min_uid;
	uint32_t allow_root;
};

struct attempt_result {
	uint32_t result; /* enum auth_result */
	uint32_t uid, gid;
	uint32_t groups_size;
	char name[ATTEMPT_NAME_MAX];
	char full_name[ATTEMPT_NAME_MAX];
	char groups[ATTEMPT_GROUPS_SIZE];
};

/* Whether a name may be given to PAM: 1 to 255 bytes of UTF-8 without control characters, '/' and ':'. */
int attempt_name_valid(const char *name);

/* Replaces what is not UTF-8, and control characters, by '?', so that an old name service's text can be sent on. */
void attempt_text_clean(char *text);

/* The process' main: reads the request, asks PAM, answers. Returns the exit code. */
int attempt_main(void);

#endif
