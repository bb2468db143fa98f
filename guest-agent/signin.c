/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "guest-agent/signin.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "guest-agent/account.h"
#include "guest-agent/job.h"

#include <errno.h>
#include <string.h>

#define PREPARE_SECONDS 60
#define STOP_SECONDS 60
#define UNIT_SIZE (sizeof("hotdesk-session@.service") + ACCOUNT_NAME_MAX)

/*
 * Lasts as long as the unit, which it never starts, and prints then what systemd is at. Whatever systemctl says when it
 * cannot ask (systemd is being replaced) is not the end.
 */
static const char watch_unit[] = "while :; do case $(systemctl is-active \"$0\") in inactive|failed|unknown) break ;; "
				 "esac; sleep 1; done; systemctl is-system-running";

static const char stop[] = "exec systemctl stop 'hotdesk-session@*.service'";
static const char stop_again[] = "sleep 0.5; exec systemctl stop 'hotdesk-session@*.service'";

/* A sign-in that waits for the session before it to be over, or to be seen going on. */
struct waiting {
	uint32_t id; /* 0: none */
	struct person person;
};

struct signin {
	struct loop *loop;
	const char *state_path, *reason_path;
	const struct signin_ops *ops;
	void *userdata;
	struct job *preparing, *running, *stopping;
	uint32_t id;  /* of the request that is being prepared */
	uint32_t uid; /* of its person */
	uint32_t log_off_id;
	bool stopped; /* systemd has done the log-off of that id once; `running` is to end by it */
	bool up;      /* the session's part is there */
	struct waiting waiting;
	struct session_info session;
	char user[ACCOUNT_NAME_MAX];
	char reason[CODEC_TEXT_MAX];
};

static void signin_set(struct signin *signin, enum session_state state)
{
	if (signin->session.state == state)
		return;
	signin->session.state = state;
	log_info("session of %s is %s", signin->user,
		 (const char *[]){"gone", "starting", "active", "locked", "over"}[state]);
	signin->ops->changed(&signin->session, signin->userdata);
}

static void unit_of(const struct signin *signin, char *ret, size_t size)
{
	snprintf(ret, size, "hotdesk-session@%s.service", signin->user);
}

/* session-begin (packaging/guest) leaves its reason in a file; nobody else knows one that a person could use. */
static void take_reason(struct signin *signin)
{
	_cleanup_free_ char *text = NULL;

	snprintf(signin->reason, sizeof(signin->reason), "%s",
		 signin->session.state == SESSION_STARTING ? "the desktop could not be started"
							   : "the desktop broke down");
	if (fs_read_file(signin->reason_path, CODEC_TEXT_MAX - 1, &text, NULL) < 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	if (text[0] != '\0')
		snprintf(signin->reason, sizeof(signin->reason), "%s", text);
}

/* The sign-in that waited, unless it still has to. */
static void signin_go_on(struct signin *signin)
{
	struct waiting waiting = signin->waiting;

	signin->waiting.id = 0;
	if (waiting.id != 0)
		signin_start(signin, waiting.id, &waiting.person);
}

static void log_off_done(struct signin *signin, const char *error)
{
	uint32_t id = signin->log_off_id;

	signin->log_off_id = 0;
	signin->stopped = false;
	signin->ops->answer(id, error, signin->userdata);
	signin_go_on(signin);
}

static void signin_over(struct signin *signin, bool said)
{
	unlink(signin->state_path);
	unlink(signin->reason_path);
	if (said)
		signin_set(signin, SESSION_ENDED);
	signin->session.state = SESSION_NONE;
	signin->up = false;
	if (signin->stopped) {
		job_free(signin->stopping);
		signin->stopping = NULL;
		log_off_done(signin, NULL);
	} else {
		signin_go_on(signin);
	}
}

/* A guest that goes down takes the session with it: that is no log-off, and said in another way (leaving). */
static void on_watch_end(bool good, const char *line, void *userdata)
{
	struct signin *signin = userdata;

	(void)good;
	signin->running = NULL;
	signin_over(signin, strcmp(line, "stopping") != 0);
}

/* Watches a unit that was started before; it may have ended. */
static int signin_watch(struct signin *signin)
{
	char unit[UNIT_SIZE];

	unit_of(signin, unit, sizeof(unit));
	return job_run(signin->loop, (const char *const[]){"sh", "-c", watch_unit, unit, NULL}, 0, on_watch_end, signin,
		       &signin->running);
}

/* Not the session's end for sure: systemctl's connection does not outlive a new systemd. */
static void on_run_end(bool good, const char *line, void *userdata)
{
	struct signin *signin = userdata;

	(void)line;
	signin->running = NULL;
	if (!good && signin->log_off_id == 0)
		take_reason(signin);
	if (signin_watch(signin) < 0)
		signin_over(signin, true);
}

/* The unit is started and watched until it ends. */
static int signin_run(struct signin *signin)
{
	char unit[UNIT_SIZE];

	unit_of(signin, unit, sizeof(unit));
	signin->reason[0] = '\0';
	signin->up = false;
	return job_run(signin->loop, (const char *const[]){"systemctl", "start", "--wait", unit, NULL}, 0, on_run_end,
		       signin, &signin->running);
}

static int write_state(const struct signin *signin)
{
	char text[ACCOUNT_NAME_MAX + 16];
	int size = snprintf(text, sizeof(text), "%u %s\n", (unsigned)signin->session.uid, signin->user);

	return fs_write_atomic(signin->state_path, text, (size_t)size, 0600);
}

static void signin_answer(struct signin *signin, const char *error)
{
	signin->ops->answer(signin->id, error, signin->userdata);
	signin->id = 0;
}

static void on_prepared(bool good, const char *line, void *userdata)
{
	struct signin *signin = userdata;
	int r;

	signin->preparing = NULL;
	if (good && signin->log_off_id != 0) {
		signin_answer(signin, "logged off before the session began");
		return;
	}
	if (!good || !account_name_is_unix(line)) {
		signin_answer(signin, line);
		return;
	}
	memcpy(signin->user, line, strlen(line) + 1);
	signin->session.uid = signin->uid;
	r = write_state(signin);
	if (r == 0)
		r = signin_run(signin);
	signin_answer(signin, r < 0 ? strerror(-r) : NULL);
	if (r == 0)
		signin_set(signin, SESSION_STARTING);
}

static int prepare(struct signin *signin, const struct person *person)
{
	char uid[16], gid[16], groups[CODEC_GROUPS_MAX * (CODEC_GROUP_MAX + 1)] = "";
	size_t used = 0;

	snprintf(uid, sizeof(uid), "%u", (unsigned)person->uid);
	snprintf(gid, sizeof(gid), "%u", (unsigned)person->gid);
	for (size_t i = 0; i < person->n_groups; i++)
		used +=
		    (size_t)snprintf(groups + used, sizeof(groups) - used, "%s%s", i > 0 ? "," : "", person->groups[i]);
	return job_run(signin->loop,
		       (const char *const[]){"/proc/self/exe", "--prepare-user", "--", person->name, uid, gid,
					     person->full_name, groups, NULL},
		       PREPARE_SECONDS, on_prepared, signin, &signin->preparing);
}

/* One that is asked again in the meantime takes the place of the one before: that host has gone. */
static void signin_wait(struct signin *signin, uint32_t id, const struct person *person)
{
	signin->waiting = (struct waiting){.id = id, .person = *person};
}

/* The session is about to end, or seems to: its part was there and is not. */
static bool is_ending(const struct signin *signin)
{
	return signin->log_off_id != 0 ||
	       (signin->running && !signin->up &&
		(signin->session.state == SESSION_ACTIVE || signin->session.state == SESSION_LOCKED));
}

/* Somebody is signed in or about to be. */
static void signin_again(struct signin *signin, uint32_t id, const struct person *person)
{
	bool same = person->uid == (signin->preparing ? signin->uid : signin->session.uid);
	char error[CODEC_TEXT_MAX];

	if (is_ending(signin)) {
		signin_wait(signin, id, person);
	} else if (!same) {
		snprintf(error, sizeof(error), "%s is signed in to this desktop",
			 signin->preparing ? "somebody else" : signin->user);
		signin->ops->answer(id, error, signin->userdata);
	} else if (signin->preparing) {
		/* Who asked before has gone: a host asks once. */
		signin->id = id;
	} else {
		signin->ops->answer(id, NULL, signin->userdata);
		signin->ops->changed(&signin->session, signin->userdata);
	}
}

void signin_start(struct signin *signin, uint32_t id, const struct person *person)
{
	int r;

	if (signin->preparing || signin->running || signin->log_off_id != 0) {
		signin_again(signin, id, person);
		return;
	}
	signin->id = id;
	signin->uid = person->uid;
	r = prepare(signin, person);
	if (r < 0)
		signin_answer(signin, strerror(-r));
}

static int run_stop(struct signin *signin, const char *script);

/* A stop that systemd has heard before the start of a session was none for it: then it is told again. */
static void on_stopped(bool good, const char *line, void *userdata)
{
	struct signin *signin = userdata;
	int r;

	signin->stopping = NULL;
	if (!good || (!signin->preparing && !signin->running)) {
		log_off_done(signin, good ? NULL : line);
		return;
	}
	signin->stopped = true;
	r = run_stop(signin, stop_again);
	if (r < 0)
		log_off_done(signin, strerror(-r));
}

static int run_stop(struct signin *signin, const char *script)
{
	return job_run(signin->loop, (const char *const[]){"sh", "-c", script, NULL}, STOP_SECONDS, on_stopped, signin,
		       &signin->stopping);
}

void signin_log_off(struct signin *signin, uint32_t id)
{
	int r = signin->log_off_id != 0 ? 0 : run_stop(signin, stop);

	if (r < 0)
		signin->ops->answer(id, strerror(-r), signin->userdata);
	else
		signin->log_off_id = id;
}

void signin_seen(struct signin *signin, bool up, bool locked)
{
	signin->up = up;
	if (!signin->running || !up)
		return;
	signin_set(signin, locked ? SESSION_LOCKED : SESSION_ACTIVE);
	signin_go_on(signin);
}

const struct session_info *signin_session(const struct signin *signin)
{
	return &signin->session;
}

bool signin_is_there(const struct signin *signin)
{
	return signin->running;
}

/* "UID NAME", as write_state wrote it. */
static int parse_state(struct signin *signin, char *text)
{
	char *name;
	unsigned long uid = strtoul(text, &name, 10);

	if (name == text || *name != ' ' || uid >= UINT32_MAX)
		return -EBADMSG;
	name++;
	name[strcspn(name, "\n")] = '\0';
	if (!account_name_is_unix(name))
		return -EBADMSG;
	memcpy(signin->user, name, strlen(name) + 1);
	signin->session.uid = (uint32_t)uid;
	return 0;
}

/* A former agent's session: still there, or over while nobody looked. */
static int find_again(struct signin *signin)
{
	_cleanup_free_ char *text = NULL;
	int r = fs_read_file(signin->state_path, 256, &text, NULL);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (parse_state(signin, text) < 0)
		return 0;
	signin->session.state = SESSION_STARTING;
	return signin_watch(signin);
}

int signin_new(struct loop *loop, const struct signin_paths *paths, const struct signin_ops *ops, void *userdata,
	       struct signin **ret)
{
	struct signin *signin = calloc(1, sizeof(*signin));
	int r;

	if (!signin)
		return -ENOMEM;
	signin->loop = loop;
	signin->state_path = paths->state;
	signin->reason_path = paths->reason;
	signin->ops = ops;
	signin->userdata = userdata;
	signin->session.user = signin->user;
	signin->session.reason = signin->reason;
	r = find_again(signin);
	if (r < 0) {
		signin_free(signin);
		return r;
	}
	*ret = signin;
	return 0;
}

void signin_free(struct signin *signin)
{
	if (!signin)
		return;
	job_free(signin->preparing);
	job_free(signin->running);
	job_free(signin->stopping);
	free(signin);
}
