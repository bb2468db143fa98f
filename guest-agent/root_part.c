/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/root_part.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "guest-agent/job.h"
#include "guest-agent/link.h"
#include "guest-agent/relay.h"
#include "guest-agent/session.h"
#include "guest-agent/settings.h"
#include "guest-agent/x_watch.h"

#include <errno.h>
#include <string.h>

#define REQUESTS_MAX 8
#define REQUEST_SECONDS 60

/* A request that a program carries out. */
struct pending {
	struct root_part *part;
	uint32_t id; /* 0: free */
	struct job *job;
};

struct root_part {
	struct loop *loop;
	const struct root_paths *paths;
	struct abilities abilities;
	struct host_link *host;
	struct sessions *sessions;
	struct relay *relay;
	struct signin *signin; /* NULL: this guest signs nobody in */
	struct x_watch *x;
	bool ready;
	struct pending pending[REQUESTS_MAX];
};

static void pclosep(FILE **file)
{
	if (*file)
		pclose(*file);
}

static void set_ready(struct root_part *part, bool ready)
{
	if (part->ready == ready)
		return;
	part->ready = ready;
	if (ready)
		link_ready(part->host);
}

/* Somebody can be signed in once X is there. */
static void on_x(bool there, void *userdata)
{
	set_ready(userdata, there);
}

static void on_sessions(void *userdata)
{
	struct root_part *part = userdata;
	uid_t uid;

	if (!part->signin) {
		set_ready(part, sessions_any_up(part->sessions));
		return;
	}
	uid = signin_session(part->signin)->uid;
	signin_seen(part->signin, sessions_up(part->sessions, uid), sessions_locked(part->sessions, uid));
}

/* The clipboard is that of who is signed in; where the agent signs nobody in, of its own user. */
static void set_clipboard_user(struct root_part *part)
{
	uid_t uid = part->signin ? signin_session(part->signin)->uid : geteuid();

	relay_set_user(part->relay, !part->signin || signin_is_there(part->signin) ? &uid : NULL);
}

static void on_clipboard(int fd, uid_t uid, void *userdata)
{
	struct root_part *part = userdata;

	set_clipboard_user(part);
	relay_connect(part->relay, fd, uid);
}

static const struct sessions_ops sessions_ops = {.changed = on_sessions, .clipboard = on_clipboard};

static void on_session_changed(const struct session_info *session, void *userdata)
{
	struct root_part *part = userdata;

	link_session(part->host, session);
	set_clipboard_user(part);
	/* Its parts may have been quicker than a restarted agent. */
	if (session->state == SESSION_STARTING)
		on_sessions(part);
}

static void answer(uint32_t id, const char *error, void *userdata)
{
	struct root_part *part = userdata;

	if (error)
		log_warning("request %u: %s", (unsigned)id, error);
	link_result(part->host, id, error);
}

static const struct signin_ops signin_ops = {.changed = on_session_changed, .answer = answer};

static void on_hello(struct hello *ret, void *userdata)
{
	struct root_part *part = userdata;

	*ret = (struct hello){.os = part->abilities.os, .capabilities = part->abilities.names, .ready = part->ready};
	if (part->signin)
		ret->session = *signin_session(part->signin);
}

static void on_done(bool good, const char *line, void *userdata)
{
	struct pending *pending = userdata;
	uint32_t id = pending->id;

	pending->id = 0;
	pending->job = NULL;
	answer(id, good ? NULL : line, pending->part);
}

static void run(struct root_part *part, uint32_t id, const char *const *argv)
{
	struct pending *pending = NULL;
	int r = -EBUSY;

	for (size_t i = 0; i < REQUESTS_MAX && !pending; i++)
		if (part->pending[i].id == 0)
			pending = &part->pending[i];
	if (pending)
		r = job_run(part->loop, argv, REQUEST_SECONDS, on_done, pending, &pending->job);
	if (r < 0)
		answer(id, strerror(-r), part);
	else
		pending->id = id;
}

/* logind's session of the user, whose number only logind knows. */
static void tell_logind(struct root_part *part, const struct message *request, const char *verb)
{
	static const char script[] = "exec loginctl \"$0\" \"$(loginctl show-user \"$1\" -p Display --value)\"";
	char uid[16];

	if (!signin_is_there(part->signin)) {
		answer(request->id, "nobody is signed in", part);
		return;
	}
	snprintf(uid, sizeof(uid), "%u", (unsigned)signin_session(part->signin)->uid);
	run(part, request->id, (const char *const[]){"sh", "-c", script, verb, uid, NULL});
}

static void on_sign_in(struct root_part *part, const struct message *request)
{
	signin_start(part->signin, request->id, &request->person);
}

static void on_log_off(struct root_part *part, const struct message *request)
{
	signin_log_off(part->signin, request->id);
}

static void on_lock(struct root_part *part, const struct message *request)
{
	tell_logind(part, request, "lock-session");
}

static void on_unlock(struct root_part *part, const struct message *request)
{
	tell_logind(part, request, "unlock-session");
}

static void on_reboot(struct root_part *part, const struct message *request)
{
	run(part, request->id, (const char *const[]){"systemctl", "reboot", NULL});
}

static void on_power_off(struct root_part *part, const struct message *request)
{
	run(part, request->id, (const char *const[]){"systemctl", "poweroff", NULL});
}

static void answer_errno(struct root_part *part, const struct message *request, int r)
{
	answer(request->id, r < 0 ? strerror(-r) : NULL, part);
}

static void on_set_time(struct root_part *part, const struct message *request)
{
	answer_errno(part, request, settings_time(request->time));
}

static void on_set_hostname(struct root_part *part, const struct message *request)
{
	answer_errno(part, request, settings_hostname(request->text));
}

static void on_set_machine_id(struct root_part *part, const struct message *request)
{
	answer_errno(part, request, settings_machine_id(request->text));
}

static void (*const handlers[MESSAGE_TYPES])(struct root_part *part, const struct message *request) = {
    [MESSAGE_SIGN_IN] = on_sign_in,
    [MESSAGE_LOG_OFF] = on_log_off,
    [MESSAGE_LOCK] = on_lock,
    [MESSAGE_UNLOCK] = on_unlock,
    [MESSAGE_REBOOT] = on_reboot,
    [MESSAGE_POWER_OFF] = on_power_off,
    [MESSAGE_SET_TIME] = on_set_time,
    [MESSAGE_SET_HOSTNAME] = on_set_hostname,
    [MESSAGE_SET_MACHINE_ID] = on_set_machine_id,
};

static void on_request(const struct message *request, void *userdata)
{
	struct root_part *part = userdata;

	if (!handlers[request->type] || !abilities_have(&part->abilities, request->type)) {
		answer(request->id, "not supported", part);
		return;
	}
	log_info("request %u: %s", (unsigned)request->id, message_name(request->type));
	handlers[request->type](part, request);
}

static const struct link_ops link_ops = {.hello = on_hello, .request = on_request};

/* The link comes last: its first hello says what there is. */
static int root_part_start(struct root_part *part)
{
	bool signs_in = abilities_have(&part->abilities, MESSAGE_SIGN_IN);
	int r = sessions_new(part->loop, part->paths->socket, &sessions_ops, part, &part->sessions);

	if (r == 0 && signs_in)
		r = signin_new(part->loop, &part->paths->signin, &signin_ops, part, &part->signin);
	if (r == 0 && signs_in)
		r = x_watch_new(part->loop, part->paths->x, on_x, part, &part->x);
	if (r == 0)
		r = relay_new(part->loop, part->paths->clipboard, &part->relay);
	return r < 0 ? r : link_new(part->loop, part->paths->port, &link_ops, part, &part->host);
}

int root_part_new(struct loop *loop, const struct root_paths *paths, const struct abilities *abilities,
		  struct root_part **ret)
{
	struct root_part *part = calloc(1, sizeof(*part));
	int r;

	if (!part)
		return -ENOMEM;
	part->loop = loop;
	part->paths = paths;
	part->abilities = *abilities;
	for (size_t i = 0; i < REQUESTS_MAX; i++)
		part->pending[i].part = part;
	r = root_part_start(part);
	if (r < 0) {
		root_part_free(part);
		return r;
	}
	*ret = part;
	return 0;
}

/* What systemd is about to do with the whole guest; NULL: nothing. At the end of the program it may be waited for. */
static const char *leaving_how(void)
{
	_cleanup_(pclosep) FILE *jobs = popen("timeout 2 systemctl list-jobs --plain --no-legend 2>/dev/null", "re");
	const char *how = NULL;
	char line[256];

	while (jobs && fgets(line, sizeof(line), jobs)) {
		if (strstr(line, " reboot.target "))
			how = "reboot";
		else if (strstr(line, " poweroff.target ") || strstr(line, " halt.target "))
			how = "power-off";
	}
	return how;
}

void root_part_leave(struct root_part *part)
{
	const char *how = abilities_have(&part->abilities, MESSAGE_REBOOT) ? leaving_how() : NULL;

	if (how)
		link_leaving(part->host, how);
}

void root_part_free(struct root_part *part)
{
	if (!part)
		return;
	for (size_t i = 0; i < REQUESTS_MAX; i++)
		job_free(part->pending[i].job);
	x_watch_free(part->x);
	signin_free(part->signin);
	sessions_free(part->sessions);
	relay_free(part->relay);
	link_free(part->host);
	free(part);
}

void root_part_freep(struct root_part **part)
{
	root_part_free(*part);
}
