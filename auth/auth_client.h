/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asks hotdesk-auth for one identity (auth_api.h). Reconnects by itself; never blocks. */
#ifndef AUTH_CLIENT_H
#define AUTH_CLIENT_H

#include "auth/auth_api.h"
#include "common/error.h"

#include <stdint.h>
#include <systemd/sd-event.h>

#define IDENTITY_GROUPS_MAX 1024

struct identity {
	char *name;   /* canonical: NSS's spelling, else as PAM left it */
	uint32_t uid; /* AUTH_UID_UNKNOWN where NSS does not know the name */
	uint32_t gid;
	char **groups;   /* names, NULL-terminated */
	char *full_name; /* may be "" */
};

void identity_clear(struct identity *identity);

struct auth_client;

/*
 * result AUTH_OK: identity is valid during the call. Otherwise text is what the person is told. r < 0 (auth not reached
 * or died): result is AUTH_BUSY and text asks to try again.
 */
typedef void (*auth_done_fn)(enum auth_result result, const struct identity *identity, const char *text,
			     void *userdata);

int auth_client_new(sd_event *event, const char *socket_path, struct auth_client **ret);
void auth_client_free(struct auth_client *client);

/*
 * password_fd stays the caller's (duplicated). timeout_usec: of the attempt, from when auth has said Hello; an auth
 * that does not within two seconds counts as not reached.
 */
int auth_client_authenticate(struct auth_client *client, const char *name, int password_fd, const char *peer,
			     uint64_t timeout_usec, auth_done_fn done, void *userdata);
/* Drops the attempt; its done is not called. */
void auth_client_cancel(struct auth_client *client, void *userdata);

#endif
