/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/waiters.h"

#include "broker/desktop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct waiter {
	struct waiter *next;
	enum waiter_kind kind;
	char id[HOST_DESKTOP_ID_MAX];
	broker_done_fn done;
	void *userdata;
};

struct waiters {
	struct broker *broker;
	sd_event_source *timer;
	struct waiter *first;
};

static bool is_stopped(const struct desktop *desktop)
{
	return desktop->state == DESKTOP_STOPPED || desktop->state == DESKTOP_ABSENT ||
	       desktop->state == DESKTOP_FAILED || desktop->row.wanted == WANTED_RUNNING;
}

static bool is_due(struct broker *broker, const struct waiter *waiter)
{
	const struct desktop *desktop = desktop_find(broker->desktops, waiter->id);

	if (waiter->kind == WAIT_NOTHING || !desktop)
		return true;
	if (waiter->kind == WAIT_LOGGED_OFF)
		return desktop->sign_in.farewell[0] == '\0';
	return waiter->kind == WAIT_STOPPED && !desktop_is_leaving(desktop) && is_stopped(desktop);
}

static struct waiter *take_due(struct waiters *waiters)
{
	for (struct waiter **at = &waiters->first; *at; at = &(*at)->next) {
		struct waiter *waiter = *at;

		if (!is_due(waiters->broker, waiter))
			continue;
		*at = waiter->next;
		return waiter;
	}
	return NULL;
}

static int timer_fired(sd_event_source *source, uint64_t usec, void *userdata)
{
	const struct error none = {0};
	struct waiter *waiter;

	(void)source;
	(void)usec;
	while ((waiter = take_due(userdata))) {
		waiter->done(0, &none, waiter->userdata);
		free(waiter);
	}
	return 0;
}

void waiters_check(struct broker *broker)
{
	if (broker->waiters && broker->waiters->first)
		broker_timer(broker, &broker->waiters->timer, 0, timer_fired, broker->waiters);
}

int waiters_add(struct broker *broker, enum waiter_kind kind, const char *id, broker_done_fn done, void *userdata)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (!waiter)
		return -ENOMEM;
	waiter->kind = kind;
	snprintf(waiter->id, sizeof(waiter->id), "%s", id);
	waiter->done = done;
	waiter->userdata = userdata;
	waiter->next = broker->waiters->first;
	broker->waiters->first = waiter;
	waiters_check(broker);
	return 0;
}

void waiters_forget(struct broker *broker, void *userdata)
{
	for (struct waiter **at = &broker->waiters->first; *at;) {
		struct waiter *waiter = *at;

		if (waiter->userdata != userdata) {
			at = &waiter->next;
			continue;
		}
		*at = waiter->next;
		free(waiter);
	}
}

int waiters_new(struct broker *broker, struct waiters **ret)
{
	struct waiters *waiters = calloc(1, sizeof(*waiters));

	if (!waiters)
		return -ENOMEM;
	waiters->broker = broker;
	*ret = waiters;
	return 0;
}

void waiters_free(struct waiters *waiters)
{
	if (!waiters)
		return;
	sd_event_source_disable_unref(waiters->timer);
	while (waiters->first) {
		struct waiter *waiter = waiters->first;

		waiters->first = waiter->next;
		free(waiter);
	}
	free(waiters);
}
