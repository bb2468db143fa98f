/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/status.h"

#include <stdio.h>
#include <string.h>

/* Each state's share of the one bar that a person sees from nothing to a desktop. */
static const struct {
	const char *title, *detail;
	int32_t from, to; /* from < 0: no bar */
} STATES[] = {
    [DESKTOP_UNKNOWN] = {"Looking for your desktop", "One moment, please.", -1, -1},
    [DESKTOP_ABSENT] = {"Preparing your desktop", "It is about to be made.", 0, 0},
    [DESKTOP_CLONING] = {"Preparing your desktop", "A fresh copy is being made.", 0, 10},
    [DESKTOP_STARTING] = {"Starting your desktop", "The machine is being switched on.", 10, 15},
    [DESKTOP_BOOTING] = {"Starting your desktop", "The operating system is starting.", 15, 99},
    [DESKTOP_READY] = {"Your desktop is ready", "Connecting its screen.", 100, 100},
    [DESKTOP_STOPPING] = {"Your desktop is shutting down", "One moment, please.", -1, -1},
    [DESKTOP_STOPPED] = {"Starting your desktop", "The machine is about to be switched on.", 5, 5},
    [DESKTOP_FAILED] = {"Starting your desktop", "The start is tried again.", -1, -1},
};

/* title NULL: as it is. */
static void set_text(struct status *status, const char *title, const char *format, const char *reason)
{
	if (title)
		snprintf(status->title, sizeof(status->title), "%s", title);
	snprintf(status->detail, sizeof(status->detail), format, reason);
}

/* The host's reasons are made to stand behind a colon, as log lines do; here one begins what a person reads. */
static void make_sentence(const char *reason, char *ret, size_t size)
{
	size_t n = (size_t)snprintf(ret, size, "%s", reason);

	if (n == 0 || n + 1 >= size)
		return;
	if (ret[0] >= 'a' && ret[0] <= 'z')
		ret[0] = (char)(ret[0] - 'a' + 'A');
	if (!strchr(".!?", ret[n - 1])) {
		ret[n] = '.';
		ret[n + 1] = '\0';
	}
}

static void fill_given_up(const struct status_input *input, struct status *ret)
{
	char reason[sizeof(ret->detail)];

	make_sentence(input->reason[0] ? input->reason : "It failed several times in a row.", reason, sizeof(reason));
	ret->failed = true;
	ret->percent = -1;
	set_text(ret, "Your desktop could not be started",
		 "%s Close this window and log in again to try once more, or ask your administrator.", reason);
}

static void fill_refused(const struct status_input *input, struct status *ret)
{
	char reason[sizeof(ret->detail)];

	make_sentence(input->refusal, reason, sizeof(reason));
	ret->failed = true;
	set_text(ret, "You could not be signed in", "%s Log in again to try once more, or ask your administrator.",
		 reason);
}

static void fill_state(const struct status_input *input, struct status *ret)
{
	enum desktop_state state = input->state;
	int32_t from = STATES[state].from, to = STATES[state].to;
	uint32_t progress = input->progress > 100 ? 100 : input->progress;

	set_text(ret, STATES[state].title, "%s", STATES[state].detail);
	ret->percent = from < 0 ? -1 : from + (to - from) * (int32_t)progress / 100;
}

void status_make(const struct status_input *input, struct status *ret)
{
	*ret = (struct status){.percent = -1};
	if (input->given_up) {
		fill_given_up(input, ret);
		return;
	}
	if (input->unwritten) {
		set_text(
		    ret, "Waiting for the broker's disk", "%s",
		    "What happened to your desktop cannot be recorded. It is tried again; please stay connected, or "
		    "tell your administrator.");
		return;
	}
	if (input->state == DESKTOP_READY && input->reconnecting) {
		set_text(ret, "Reconnecting", "%s", "The connection to your desktop's screen is being made again.");
		return;
	}
	if (input->state == DESKTOP_READY && input->signing_in) {
		if (input->refusal[0])
			fill_refused(input, ret);
		else
			set_text(ret, "Signing you in", "%s", "Your session is being started.");
		return;
	}
	fill_state(input, ret);
	if (input->state == DESKTOP_BOOTING && input->restarting)
		set_text(ret, "Your desktop is restarting", "%s",
			 "You will be signed in again. Please stay connected.");
	if (input->host_away)
		set_text(ret, NULL, "%s", "Waiting for the virtual machine service of this computer.");
	else if (input->state == DESKTOP_READY || input->failures == 0)
		return;
	else if (input->remade)
		set_text(ret, "Your desktop stopped unexpectedly", "%s",
			 "You are getting a new one. Please stay connected.");
	else
		set_text(ret, "Your desktop stopped unexpectedly", "%s",
			 "It is being started again. Please stay connected.");
}
