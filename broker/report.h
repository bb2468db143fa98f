/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the host says of one desktop (host_api.h: Changed and List), checked. */
#ifndef BROKER_REPORT_H
#define BROKER_REPORT_H

#include "broker/store_rows.h"

#include <json-c/json.h>

enum desktop_state {
	DESKTOP_UNKNOWN, /* the host has not told yet */
	DESKTOP_ABSENT,
	DESKTOP_CLONING,
	DESKTOP_STARTING,
	DESKTOP_BOOTING,
	DESKTOP_READY,
	DESKTOP_STOPPING,
	DESKTOP_STOPPED,
	DESKTOP_FAILED,
};

enum stop_cause { CAUSE_NONE, CAUSE_ASKED, CAUSE_GUEST_SHUTDOWN, CAUSE_CRASH };

/* Of the session in the guest. */
enum guest_session {
	GUEST_SESSION_NONE,
	GUEST_SESSION_STARTING,
	GUEST_SESSION_ACTIVE,
	GUEST_SESSION_LOCKED,
	GUEST_SESSION_ENDED,
};

#define REPORT_WORDS_SIZE 512

/* What the guest's agent is and says; nothing where there is none. */
struct report_guest {
	char agent[33], os[128];              /* the agent's version, the system's name */
	char capabilities[REPORT_WORDS_SIZE]; /* words with commas, as those that are missing */
	char missing[REPORT_WORDS_SIZE];
	bool answers;  /* an agent has said hello and was heard since */
	bool signs_in; /* users, in this boot; also while it does not answer */
	bool locks, logs_off;
	enum guest_session session;
	uint32_t uid;                 /* of the session */
	char reason[STORE_TEXT_SIZE]; /* of its end, "" where none was given */
};

struct report {
	char id[HOST_DESKTOP_ID_MAX];
	enum desktop_state state;
	enum stop_cause cause;  /* of DESKTOP_STOPPED */
	uint32_t progress;      /* 0..100 */
	uint32_t image_version; /* 0: not told */
	uint32_t boot;
	char reason[STORE_TEXT_SIZE], warning[STORE_TEXT_SIZE];
	struct report_guest guest;
};

/* -EBADMSG where id or state are missing or not valid; other fields that are wrong are left empty. */
int report_parse(struct json_object *json, struct report *ret);

/* host_api.h's word, "unknown" for DESKTOP_UNKNOWN. */
const char *desktop_state_text(enum desktop_state state);

#endif
