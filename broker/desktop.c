/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/desktop.h"

#include "broker/guest.h"
#include "broker/watch.h"
#include "common/cleanup.h"
#include "common/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

struct desktops {
	struct broker *broker;
	struct desktop *first;
};

static void load_session(struct desktop *desktop)
{
	struct session_row session;

	if (store_session_find(desktop->broker->store, desktop->row.id, &session) == 0)
		desktop->session = session;
}

static int load_all(struct desktops *desktops)
{
	_cleanup_free_ struct desktop_row *rows = NULL;
	size_t n = 0;
	int r = store_desktops(desktops->broker->store, NULL, &rows, &n);

	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct desktop *desktop = desktop_add(desktops, &rows[i]);

		if (!desktop)
			return -ENOMEM;
		load_session(desktop);
		desktop->remake = desktop->row.wanted == WANTED_ABSENT && desktop->session.id != 0;
	}
	return r;
}

int desktops_new(struct broker *broker, struct desktops **ret)
{
	struct desktops *desktops = calloc(1, sizeof(*desktops));
	int r;

	if (!desktops)
		return -ENOMEM;
	desktops->broker = broker;
	r = load_all(desktops);
	if (r < 0) {
		desktops_free(desktops);
		return r;
	}
	*ret = desktops;
	return 0;
}

static void desktop_free(struct desktop *desktop)
{
	guest_forget(desktop);
	sd_event_source_disable_unref(desktop->retry);
	free(desktop);
}

void desktops_free(struct desktops *desktops)
{
	if (!desktops)
		return;
	while (desktops->first) {
		struct desktop *desktop = desktops->first;

		desktops->first = desktop->next;
		desktop_free(desktop);
	}
	free(desktops);
}

struct desktop *desktops_first(struct desktops *desktops)
{
	return desktops->first;
}

struct desktop *desktop_find(struct desktops *desktops, const char *id)
{
	struct desktop *desktop = desktops->first;

	while (desktop && strcmp(desktop->row.id, id) != 0)
		desktop = desktop->next;
	return desktop;
}

struct desktop *desktop_of_session(struct desktops *desktops, int64_t session)
{
	struct desktop *desktop = desktops->first;

	while (desktop && (desktop->session.id == 0 || desktop->session.id != session))
		desktop = desktop->next;
	return desktop;
}

void desktop_row_make(const struct pool *pool, const char *owner, struct desktop_row *ret)
{
	uint32_t number = 0;

	while (getrandom(&number, sizeof(number), 0) != sizeof(number))
		;
	*ret = (struct desktop_row){
	    .wanted = WANTED_RUNNING, .created = time(NULL), .memory_mib = pool->memory_mib, .vcpus = pool->vcpus};
	snprintf(ret->id, sizeof(ret->id), "%s-%08x", pool->name, number);
	snprintf(ret->pool, sizeof(ret->pool), "%s", pool->name);
	snprintf(ret->owner, sizeof(ret->owner), "%s", owner);
	snprintf(ret->image, sizeof(ret->image), "%s", pool->image);
}

struct desktop *desktop_add(struct desktops *desktops, const struct desktop_row *row)
{
	struct desktop *desktop = calloc(1, sizeof(*desktop));
	struct desktop **at = &desktops->first;

	if (!desktop)
		return NULL;
	desktop->broker = desktops->broker;
	desktop->row = *row;
	while (*at)
		at = &(*at)->next;
	*at = desktop;
	return desktop;
}

void desktop_drop(struct desktop *desktop)
{
	struct desktop **at = &desktop->broker->desktops->first;

	while (*at && *at != desktop)
		at = &(*at)->next;
	if (*at)
		*at = desktop->next;
	desktop_free(desktop);
}

bool desktop_is_failed(const struct desktop *desktop)
{
	return desktop->row.failures >= DESKTOP_FAILURES_MAX;
}

bool desktop_is_leaving(const struct desktop *desktop)
{
	return desktop->row.wanted == WANTED_ABSENT && !desktop->remake;
}

bool desktop_is_disposable(const struct desktop *desktop)
{
	struct pool pool;

	if (desktop->row.owner[0] == '\0')
		return true;
	return store_pool_get(desktop->broker->store, desktop->row.pool, &pool) == 0 && pool.kind == POOL_FLOATING;
}

int desktop_save(struct desktop *desktop, const struct desktop_row *row)
{
	struct store *store = desktop->broker->store;
	int r = store_desktop_update(store, row);

	if (r < 0)
		log_error("desktop %s cannot be written to the store: %s (%s)", row->id, strerror(-r),
			  store_message(store));
	else
		desktop->row = *row;
	return r;
}

int desktop_set_session_state(struct desktop *desktop, enum session_state state)
{
	struct store *store = desktop->broker->store;
	int r;

	if (desktop->session.id == 0 || desktop->session.state == state)
		return 0;
	r = store_session_set_state(store, desktop->session.id, state);
	if (r < 0)
		log_error("session %lld cannot be written to the store: %s (%s)", (long long)desktop->session.id,
			  strerror(-r), store_message(store));
	else if (state == SESSION_ENDED)
		desktop->session = (struct session_row){0};
	else
		desktop->session.state = state;
	return r;
}

int desktop_set_session_boot(struct desktop *desktop, uint32_t boot)
{
	struct store *store = desktop->broker->store;
	int r = store_session_set_boot(store, desktop->session.id, boot);

	if (r < 0)
		log_error("session %lld cannot be written to the store: %s (%s)", (long long)desktop->session.id,
			  strerror(-r), store_message(store));
	else
		desktop->session.boot = boot;
	return r;
}

void desktop_set_size(struct desktop *desktop, uint32_t width, uint32_t height)
{
	struct desktop_row row = desktop->row;

	if (width == 0 || height == 0 || (row.width == width && row.height == height))
		return;
	row.width = width;
	row.height = height;
	desktop_save(desktop, &row);
}

int desktops_for_assign(struct desktops *desktops, struct assign_desktop **ret, size_t *ret_n)
{
	struct assign_desktop *made;
	size_t n = 0;

	for (struct desktop *desktop = desktops->first; desktop; desktop = desktop->next)
		n++;
	made = calloc(n + 1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	n = 0;
	for (struct desktop *desktop = desktops->first; desktop; desktop = desktop->next)
		made[n++] = (struct assign_desktop){
		    .row = &desktop->row,
		    .ready = desktop->state == DESKTOP_READY,
		    .failed = desktop_is_failed(desktop),
		    .leaving = desktop_is_leaving(desktop),
		};
	*ret = made;
	*ret_n = n;
	return 0;
}
