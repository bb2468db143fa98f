/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/lifecycle.h"

#include "broker/guest.h"
#include "broker/sound.h"
#include "broker/spares.h"
#include "broker/sync.h"
#include "broker/viewer.h"
#include "broker/waiters.h"
#include "broker/watch.h"
#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STEADY_USEC (60 * UINT64_C(1000000)) /* ready for so long: what came before does not count any more */
#define PAUSE_USEC UINT64_C(500000)          /* before a try after a failed start, times the failures */
#define UNWRITTEN_USEC UINT64_C(1000000)     /* before what the store did not take is written again */

static const char killed_title[] = "Your session was ended";

void lifecycle_status(const struct desktop *desktop, struct status *ret)
{
	const struct status_input input = {
	    .state = desktop->state,
	    .progress = desktop->progress,
	    .failures = desktop->row.failures,
	    .given_up = desktop_is_failed(desktop),
	    .remade = desktop_is_disposable(desktop),
	    .reconnecting = watch_is_reconnecting(desktop->watch),
	    .host_away = !sync_connected(desktop->broker->sync),
	    .signing_in = !guest_is_open(desktop),
	    .refusal = guest_refusal(desktop),
	    .unwritten = desktop->unwritten != NULL,
	    .restarting = desktop->session.boot != 0,
	    .reason = desktop->row.reason,
	};

	status_make(&input, ret);
}

void lifecycle_show(struct desktop *desktop)
{
	guest_update(desktop);
	watch_update(desktop);
	if (guest_is_open(desktop))
		viewers_attach(desktop);
	else
		viewers_detach(desktop);
	viewers_status(desktop);
	waiters_check(desktop->broker);
}

void lifecycle_host_away(struct broker *broker)
{
	for (struct desktop *at = desktops_first(broker->desktops); at; at = at->next)
		viewers_status(at);
}

static void tell(const struct desktop *desktop, const char *kind, const char *text)
{
	broker_event(desktop->broker, kind, desktop->row.owner, desktop->row.id, desktop->row.pool, "%s", text);
}

/* Removes the row once the host has nothing of it and no viewer's process is left. */
static bool remove_if_gone(struct desktop *desktop)
{
	struct broker *broker = desktop->broker;
	int r;

	if (!desktop_is_leaving(desktop) || desktop->state != DESKTOP_ABSENT || desktop->n_viewers > 0)
		return false;
	watch_drop(desktop);
	sound_drop(desktop);
	r = store_desktop_delete(broker->store, desktop->row.id);
	if (r < 0 && r != -ENOENT) {
		log_error("desktop %s cannot be deleted from the store: %s", desktop->row.id, strerror(-r));
		return false;
	}
	tell(desktop, "removed", "the desktop and its files were removed");
	desktop_drop(desktop);
	sync_push(broker);
	spares_soon(broker);
	waiters_check(broker);
	return true;
}

void lifecycle_viewer_gone(struct desktop *desktop)
{
	remove_if_gone(desktop);
}

/* One transaction: a session is never over without its desktop being given up, nor the other way round. */
static int write_end(struct desktop *desktop, const struct desktop_row *row)
{
	struct store *store = desktop->broker->store;
	int r = store_begin(store);

	if (r >= 0 && desktop->session.id != 0)
		r = store_session_set_state(store, desktop->session.id, SESSION_ENDED);
	if (r >= 0)
		r = store_desktop_update(store, row);
	if (r >= 0)
		r = store_commit(store);
	if (r < 0) {
		log_error("the end of desktop %s's session cannot be written: %s (%s)", row->id, strerror(-r),
			  store_message(store));
		store_rollback(store);
	}
	return r;
}

int lifecycle_end(struct desktop *desktop, bool remove, const char *title, const char *detail)
{
	struct desktop_row row = desktop->row;
	bool had_session = desktop->session.id != 0;
	int r;

	row.wanted = remove || desktop_is_disposable(desktop) ? WANTED_ABSENT : WANTED_STOPPED;
	row.failures = 0;
	row.reason[0] = '\0';
	r = write_end(desktop, &row);
	if (r < 0)
		return r;
	desktop->row = row;
	desktop->session = (struct session_row){0};
	guest_forget(desktop);
	desktop->remake = false;
	desktop->hold = false;
	desktop->unwritten = NULL;
	desktop->retry = sd_event_source_disable_unref(desktop->retry);
	if (had_session)
		tell(desktop, "session-end", detail);
	viewers_close(desktop, title, detail);
	sync_push(desktop->broker);
	if (!remove_if_gone(desktop))
		lifecycle_show(desktop);
	return 0;
}

static int retry_fired(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct desktop *desktop = userdata;
	void (*unwritten)(struct desktop *) = desktop->unwritten;
	struct desktop_row row = desktop->row;

	(void)source;
	(void)usec;
	desktop->hold = false;
	desktop->unwritten = NULL;
	if (unwritten) {
		unwritten(desktop);
		return 0;
	}
	if (desktop->remake) {
		row.wanted = WANTED_RUNNING;
		if (desktop_save(desktop, &row) < 0) {
			broker_timer(desktop->broker, &desktop->retry, PAUSE_USEC, retry_fired, desktop);
			return 0;
		}
		desktop->remake = false;
	}
	sync_push(desktop->broker);
	return 0;
}

static void retry_after(struct desktop *desktop, uint64_t usec)
{
	broker_timer(desktop->broker, &desktop->retry, usec, retry_fired, desktop);
}

/* The store did not take what follows from an event: again in a moment. */
static void write_later(struct desktop *desktop, void (*again)(struct desktop *desktop))
{
	desktop->unwritten = again;
	retry_after(desktop, UNWRITTEN_USEC);
}

/* As write_later for a desktop that has stopped: nothing may start the same clone before. */
static void hold_and_write_later(struct desktop *desktop, void (*again)(struct desktop *desktop))
{
	desktop->hold = true;
	write_later(desktop, again);
	lifecycle_show(desktop);
}

/* The user has left the session in the guest. A desktop of her own goes on running; she is signed in again next time.
 */
static void log_off(struct desktop *desktop)
{
	const char *why = desktop->guest.reason, *title = "You have logged off";
	char detail[STORE_TEXT_SIZE] = "Your session has ended. Goodbye.";
	struct session_row session = desktop->session;

	if (why[0]) {
		title = "Your session has ended";
		snprintf(detail, sizeof(detail), "It was not you who ended it: %.400s. Please log in again.", why);
	}
	if (desktop_is_disposable(desktop)) {
		if (lifecycle_end(desktop, false, title, detail) < 0)
			write_later(desktop, log_off);
		return;
	}
	if (desktop_set_session_state(desktop, SESSION_ENDED) < 0) {
		write_later(desktop, log_off);
		return;
	}
	broker_event(desktop->broker, "session-end", session.user, desktop->row.id, desktop->row.pool, "%s", detail);
	viewers_close(desktop, title, detail);
	lifecycle_show(desktop);
}

static void end_killed(struct desktop *desktop)
{
	char detail[STORE_TEXT_SIZE];

	memcpy(detail, desktop->sign_in.farewell, sizeof(detail));
	if (lifecycle_end(desktop, false, killed_title, detail) < 0)
		desktop->sign_in.farewell[0] = '\0';
}

int lifecycle_kill(struct desktop *desktop, const char *detail)
{
	if (guest_log_off(desktop, end_killed) < 0)
		return lifecycle_end(desktop, false, killed_title, detail);
	snprintf(desktop->sign_in.farewell, sizeof(desktop->sign_in.farewell), "%s", detail);
	return 0;
}

/*
 * A floating desktop's clone is thrown away and made again under the same id, so that session and viewers stay; until
 * the host has nothing of it the row says absent. A dedicated one is started again.
 */
static int try_again(struct desktop *desktop, struct desktop_row *row, bool crashed)
{
	bool remake = desktop_is_disposable(desktop);
	int r;

	if (remake) {
		row->wanted = WANTED_ABSENT;
		row->image_version = 0;
	}
	r = desktop_save(desktop, row);
	if (r < 0)
		return r;
	desktop->remake = remake;
	if (!remake) {
		desktop->hold = !crashed;
		retry_after(desktop, crashed ? 0 : PAUSE_USEC * row->failures);
	}
	return 0;
}

/* Counts it and tries again, or gives up. */
static int write_failure(struct desktop *desktop, bool crashed)
{
	struct desktop_row row = desktop->row;

	if (desktop->ready_since != 0 && clock_usec() - desktop->ready_since >= STEADY_USEC)
		row.failures = 0;
	row.failures++;
	snprintf(row.reason, sizeof(row.reason), "%s",
		 desktop->reason[0] ? desktop->reason : "The virtual machine ended unexpectedly.");
	return row.failures < DESKTOP_FAILURES_MAX ? try_again(desktop, &row, crashed) : desktop_save(desktop, &row);
}

static void failed(struct desktop *desktop, bool crashed, void (*again)(struct desktop *desktop))
{
	if (write_failure(desktop, crashed) < 0) {
		hold_and_write_later(desktop, again);
		return;
	}
	desktop->ready_since = 0;
	tell(desktop, crashed ? "crash" : "start-failed", desktop->row.reason);
	if (desktop_is_failed(desktop))
		tell(desktop, "failed", "given up after failing several times in a row");
	sync_push(desktop->broker);
	spares_soon(desktop->broker);
	lifecycle_show(desktop);
}

static void crashed(struct desktop *desktop)
{
	failed(desktop, true, crashed);
}

static void start_failed(struct desktop *desktop)
{
	failed(desktop, false, start_failed);
}

/* By the guest. May free it. */
static void shut_down(struct desktop *desktop)
{
	if (lifecycle_end(desktop, false, "You have logged off", "Your desktop was shut down. Goodbye.") < 0)
		hold_and_write_later(desktop, shut_down);
}

static void became_ready(struct desktop *desktop)
{
	desktop->ready_since = clock_usec();
	tell(desktop, "ready", "the desktop is ready");
}

/* A clone stays on the version it was made from, whatever is published later. */
static void keep_version(struct desktop *desktop, uint32_t version)
{
	struct desktop_row row = desktop->row;

	if (version == 0 || version == row.image_version || row.wanted == WANTED_ABSENT)
		return;
	row.image_version = version;
	desktop_save(desktop, &row);
}

/* It is gone while it is wanted: the wanted set is sent again, which makes it. */
static void became_absent(struct desktop *desktop)
{
	if (desktop->remake)
		retry_after(desktop, desktop->row.failures > 1 ? PAUSE_USEC * desktop->row.failures : 0);
	else if (!desktop_is_leaving(desktop))
		sync_push(desktop->broker);
}

/* Returns true where the desktop may be freed; whoever watches has been told then. */
static bool became_stopped(struct desktop *desktop, const struct report *report)
{
	if (desktop->row.wanted != WANTED_RUNNING || desktop->hold || desktop_is_failed(desktop))
		return false;
	switch (report->cause) {
	case CAUSE_GUEST_SHUTDOWN:
		shut_down(desktop);
		return true;
	case CAUSE_CRASH:
		crashed(desktop);
		return false;
	case CAUSE_NONE:
	case CAUSE_ASKED:
		sync_push(desktop->broker);
		return false;
	}
	return false;
}

static bool became(struct desktop *desktop, const struct report *report)
{
	switch (report->state) {
	case DESKTOP_READY:
		became_ready(desktop);
		return false;
	case DESKTOP_ABSENT:
		became_absent(desktop);
		return remove_if_gone(desktop);
	case DESKTOP_STOPPED:
		return became_stopped(desktop, report);
	case DESKTOP_FAILED:
		if (desktop->row.wanted == WANTED_RUNNING && !desktop->hold && !desktop_is_failed(desktop))
			start_failed(desktop);
		return false;
	case DESKTOP_UNKNOWN:
	case DESKTOP_CLONING:
	case DESKTOP_STARTING:
	case DESKTOP_BOOTING:
	case DESKTOP_STOPPING:
		return false;
	}
	return false;
}

void lifecycle_report(struct desktop *desktop, const struct report *report)
{
	bool changed = desktop->state != report->state || (report->boot != 0 && desktop->boot != report->boot);

	desktop->state = report->state;
	desktop->progress = report->progress;
	desktop->boot = report->boot;
	snprintf(desktop->reason, sizeof(desktop->reason), "%s", report->reason);
	memcpy(desktop->warning, report->warning, sizeof(desktop->warning));
	desktop->guest = report->guest;
	keep_version(desktop, report->image_version);
	if (changed) {
		log_info("desktop %s is %s", desktop->row.id, desktop_state_text(desktop->state));
		if (became(desktop, report))
			return;
	}
	if (desktop->sign_in.farewell[0] && !guest_is_there(desktop))
		end_killed(desktop);
	else if (guest_has_left(desktop))
		log_off(desktop);
	else
		lifecycle_show(desktop);
}
