/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A login as the broker does it: through hotdesk-auth. */
#include "auth/auth_client.h"
#include "broker/cli/doctor.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/secret.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <termios.h>

struct login {
	sd_event *event;
	struct doctor *doctor;
	const char *user;
};

/* stop: the byte that ends it with -EINTR, or -1. */
static int read_line(struct secret *password, int stop)
{
	char byte;
	ssize_t n;

	while ((n = read(STDIN_FILENO, &byte, 1)) == 1 && byte != '\n') {
		if ((unsigned char)byte == stop)
			return -EINTR;
		if (password->length >= SECRET_MAX)
			return -EFBIG;
		password->data[password->length++] = byte;
	}
	return n < 0 ? -errno : 0;
}

/* Of a terminal without echo, else the first line of stdin. */
static int ask_password(const char *user, struct secret *password)
{
	struct termios before, silent;
	int r;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) < 0)
		return read_line(password, -1);
	silent = before;
	/* Ctrl-C comes as a byte that ends the line: a signal would leave the terminal without echo. */
	silent.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	silent.c_cc[VEOL] = before.c_cc[VINTR];
	fprintf(stderr, "Password of %s: ", user);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) < 0)
		return -errno;
	r = read_line(password, before.c_cc[VINTR]);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	fputc('\n', stderr);
	return r;
}

static const char *todo_of(enum auth_result result)
{
	switch (result) {
	case AUTH_DENIED:
		return "try the password elsewhere; if it is right there, see the system log for what PAM's modules "
		       "say";
	case AUTH_EXPIRED:
		return "change the password or extend the account";
	case AUTH_LOCKED:
		return "see the account lines of the PAM service";
	case AUTH_NOT_PERMITTED:
		return "see min-uid and allow-root in [auth]";
	case AUTH_BUSY:
		return "is hotdesk-auth running? See its log";
	default:
		return "see the log of hotdesk-auth, which names PAM's reason";
	}
}

static void answered(enum auth_result result, const struct identity *identity, const char *text, void *userdata)
{
	struct login *login = userdata;

	if (result == AUTH_OK && identity->uid == AUTH_UID_UNKNOWN)
		findings_add(login->doctor->findings, FINDING_OK, "login", NULL,
			     "%s may log in, as %s, whom only PAM knows", login->user, identity->name);
	else if (result == AUTH_OK)
		findings_add(login->doctor->findings, FINDING_OK, "login", NULL, "%s may log in, as %s with uid %u",
			     login->user, identity->name, identity->uid);
	else
		findings_add(login->doctor->findings, FINDING_PROBLEM, "login", todo_of(result), "%s: %s", login->user,
			     text);
	(void)sd_event_exit(login->event, 0);
}

static int try_login(struct login *login, int password_fd)
{
	uint64_t usec = (uint64_t)conf_number(login->doctor->conf, CONF_AUTH_TIMEOUT) * 1000000;
	struct auth_client *client = NULL;
	char path[PATH_MAX];
	int r = fs_path(path, sizeof(path), "%s/auth/auth.sock", conf_string(login->doctor->conf, CONF_RUNTIME_DIR));

	if (r == 0)
		r = sd_event_new(&login->event);
	if (r >= 0)
		r = auth_client_new(login->event, path, &client);
	if (r >= 0)
		r = auth_client_authenticate(client, login->user, password_fd, "127.0.0.1", usec, answered, login);
	if (r >= 0)
		r = sd_event_loop(login->event);
	auth_client_free(client);
	sd_event_unref(login->event);
	return r;
}

void doctor_login(struct doctor *doctor, const char *user)
{
	_cleanup_(secret_freep) struct secret *password = secret_new();
	struct login login = {.doctor = doctor, .user = user};
	_cleanup_close_ int fd = -1;
	int r = password ? ask_password(user, password) : -ENOMEM;

	if (r == 0)
		r = secret_to_memfd(password, &fd);
	if (r == 0)
		r = try_login(&login, fd);
	if (r < 0)
		findings_add(doctor->findings, FINDING_PROBLEM, "login", "try again", "%s could not be tried: %s", user,
			     strerror(-r));
}
