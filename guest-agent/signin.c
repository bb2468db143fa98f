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
#define ASK_SECONDS 30
#define UNIT_SIZE (sizeof("hotdesk-session@.service") + ACCOUNT_NAME_MAX)

struct signin {
	struct loop *loop;
	const char *state_path;
	const struct signin_ops *ops;
	void *userdata;
	struct job *preparing, *asking, *running;
	uint32_t id;  /* of the request that is being prepared */
	uint32_t uid; /* of its person */
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

static void signin_over(struct signin *signin)
{
	unlink(signin->state_path);
	signin_set(signin, SESSION_ENDED);
	signin->session.state = SESSION_NONE;
}

/* A guest that goes down takes the session with it: that is no log-off, and said in another way (leaving). */
static void on_system_state(bool good, const char *line, void *userdata)
{
	struct signin *signin = userdata;

	(void)good;
	signin->asking = NULL;
	if (strcmp(line, "stopping") != 0)
		signin_over(signin);
}

static void on_session_end(bool good, const char *line, void *userdata)
{
	struct signin *signin = userdata;

	signin->running = NULL;
	snprintf(signin->reason, sizeof(signin->reason), "%s", good ? "" : line);
	if (job_run(signin->loop, (const char *const[]){"systemctl", "is-system-running", NULL}, ASK_SECONDS,
		    on_system_state, signin, &signin->asking) < 0)
		signin_over(signin);
}

/* The unit is started where it is not, and watched until it ends. */
static int signin_run(struct signin *signin)
{
	char unit[UNIT_SIZE];

	unit_of(signin, unit, sizeof(unit));
	signin->reason[0] = '\0';
	return job_run(signin->loop, (const char *const[]){"systemctl", "start", "--wait", unit, NULL}, 0,
		       on_session_end, signin, &signin->running);
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

/* Somebody is signed in or about to be. */
static void signin_again(struct signin *signin, uint32_t id, const struct person *person)
{
	bool same = person->uid == (signin->preparing ? signin->uid : signin->session.uid);
	char error[CODEC_TEXT_MAX];

	if (!same) {
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

	if (signin->preparing || signin->asking || signin->running) {
		signin_again(signin, id, person);
		return;
	}
	signin->id = id;
	signin->uid = person->uid;
	r = prepare(signin, person);
	if (r < 0)
		signin_answer(signin, strerror(-r));
}

void signin_seen(struct signin *signin, bool up, bool locked)
{
	if (!signin->running)
		return;
	if (up)
		signin_set(signin, locked ? SESSION_LOCKED : SESSION_ACTIVE);
}

const struct session_info *signin_session(const struct signin *signin)
{
	return &signin->session;
}

bool signin_is_there(const struct signin *signin)
{
	return signin->running;
}

/* A former agent's session: still there, or over while nobody looked. It must not be started, so it is only looked at.
 */
static int find_again(struct signin *signin)
{
	static const char script[] = "while systemctl is-active --quiet \"$0\"; do sleep 1; done";
	_cleanup_free_ char *text = NULL;
	char unit[UNIT_SIZE];
	unsigned uid;
	int r = fs_read_file(signin->state_path, 256, &text, NULL);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	/* The width is ACCOUNT_NAME_MAX - 1. */
	if (sscanf(text, "%u %32s", &uid, signin->user) != 2 || !account_name_is_unix(signin->user))
		return 0;
	signin->session.uid = uid;
	signin->session.state = SESSION_STARTING;
	unit_of(signin, unit, sizeof(unit));
	return job_run(signin->loop, (const char *const[]){"sh", "-c", script, unit, NULL}, 0, on_session_end, signin,
		       &signin->running);
}

int signin_new(struct loop *loop, const char *state_path, const struct signin_ops *ops, void *userdata,
	       struct signin **ret)
{
	struct signin *signin = calloc(1, sizeof(*signin));
	int r;

	if (!signin)
		return -ENOMEM;
	signin->loop = loop;
	signin->state_path = state_path;
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
	job_free(signin->asking);
	job_free(signin->running);
	free(signin);
}
