/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The broker's view of every desktop: its row, its open session, and what the host last said. Rows are written first,
 * then memory, so that what is in memory is never ahead of the store.
 */
#ifndef BROKER_DESKTOP_H
#define BROKER_DESKTOP_H

#include "broker/assign.h"
#include "broker/broker.h"
#include "broker/report.h"

#define DESKTOP_FAILURES_MAX 3 /* in a row: then it is failed and consumes nothing */

struct sound;
struct watch;

/* What guest.h asks of the agent. */
struct sign_in {
	struct desktop *desktop;
	sd_event_source *timer;    /* a pause before the next try */
	sd_event_source *patience; /* ends the wait for the session */
	bool asking;               /* a call is under way */
	bool begun;                /* the agent has said that the session starts */
	bool unlocking;            /* it is an unlock */
	bool unlock;               /* the owner has logged in since the screen was locked */
	char refusal[STORE_TEXT_SIZE];
	void (*logged_off)(struct desktop *desktop);
	char farewell[STORE_TEXT_SIZE]; /* what viewers are told once she is logged off; "": nobody has asked for it */
};

struct desktop {
	struct desktop *next;
	struct broker *broker;
	struct desktop_row row;
	struct session_row session; /* id 0: none open */
	enum desktop_state state;
	uint32_t progress, boot;
	char reason[STORE_TEXT_SIZE], warning[STORE_TEXT_SIZE];
	struct report_guest guest;
	struct sign_in sign_in;
	uint32_t n_viewers;     /* their processes live */
	uint64_t ready_since;   /* CLOCK_MONOTONIC, us */
	bool listed;            /* the host's last List has it */
	bool remake;            /* wanted absent only until the host has nothing of it, then running */
	bool hold;              /* stopped for a moment before the next try */
	sd_event_source *retry; /* ends hold, or a pause before a remake */
	void (*unwritten)(struct desktop *desktop); /* what the store did not take, for retry; NULL: nothing */
	struct watch *watch;                        /* NULL: nobody watches */
	struct sound *sound;                        /* NULL: no viewer was offered any */
};

struct desktops;

/* Reads the store. A row that is wanted absent while its session is open is one that was being made anew. */
int desktops_new(struct broker *broker, struct desktops **ret);
void desktops_free(struct desktops *desktops);

struct desktop *desktops_first(struct desktops *desktops);
struct desktop *desktop_find(struct desktops *desktops, const char *id);
struct desktop *desktop_of_session(struct desktops *desktops, int64_t session);

/* A row with a new id for this pool, not inserted yet; and the desktop of an inserted one. */
void desktop_row_make(const struct pool *pool, const char *owner, struct desktop_row *ret);
struct desktop *desktop_add(struct desktops *desktops, const struct desktop_row *row);
/* Takes it off the list and frees it. */
void desktop_drop(struct desktop *desktop);

bool desktop_is_failed(const struct desktop *desktop);
bool desktop_is_leaving(const struct desktop *desktop);
/* Nothing of a user is in it that has to be kept: a spare, or a pool of floating ones. */
bool desktop_is_disposable(const struct desktop *desktop);

/* Writes the row to the store and then to memory. */
int desktop_save(struct desktop *desktop, const struct desktop_row *row);
int desktop_set_session_state(struct desktop *desktop, enum session_state state);
/* Her session is there in this boot of the guest. */
int desktop_set_session_boot(struct desktop *desktop, uint32_t boot);
/* Keeps the size for the next viewer's start. */
void desktop_set_size(struct desktop *desktop, uint32_t width, uint32_t height);

/* For assign_decide, in the order of desktops_first; *ret is the caller's to free. */
int desktops_for_assign(struct desktops *desktops, struct assign_desktop **ret, size_t *ret_n);

#endif
