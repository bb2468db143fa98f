/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Asks a hotdesk-auth once: auth-client-tool SOCKET NAME PEER, the password on stdin. Prints "KEY VALUE" lines: result,
 * text, and with result 0 name, uid, gid, full_name and one line for each group.
 */
#include "auth/auth_client.h"
#include "common/cleanup.h"
#include "common/secret.h"

#include <string.h>

static void print_answer(enum auth_result result, const struct identity *identity, const char *text, void *userdata)
{
	printf("result %d\ntext %s\n", (int)result, text);
	if (identity) {
		printf("name %s\nuid %u\ngid %u\nfull_name %s\n", identity->name, identity->uid, identity->gid,
		       identity->full_name);
		for (char **group = identity->groups; *group; group++)
			printf("group %s\n", *group);
	}
	sd_event_exit(userdata, 0);
}

static int read_password(int *ret_fd)
{
	_cleanup_(secret_freep) struct secret *password = secret_new();

	if (!password)
		return -1;
	password->length = fread(password->data, 1, SECRET_MAX, stdin);
	return secret_to_memfd(password, ret_fd);
}

int main(int argc, char **argv)
{
	_cleanup_close_ int password_fd = -1;
	struct auth_client *client = NULL;
	sd_event *event = NULL;
	int r = 1;

	if (argc == 4 && read_password(&password_fd) == 0 && sd_event_default(&event) >= 0 &&
	    auth_client_new(event, argv[1], &client) >= 0 &&
	    auth_client_authenticate(client, argv[2], password_fd, argv[3], UINT64_C(100000000), print_answer, event) >=
		0)
		r = sd_event_loop(event);
	auth_client_free(client);
	sd_event_unref(event);
	return r;
}
