/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/spares.h"

#include "broker/desktop.h"
#include "broker/lifecycle.h"
#include "broker/sync.h"
#include "common/cleanup.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct spares {
	struct broker *broker;
	sd_event_source *timer;
};

struct count {
	uint32_t taken, spare; /* places of the pool in use, spares included; the spares */
};

static bool is_of(const struct desktop *desktop, const struct pool *pool)
{
	return !desktop_is_leaving(desktop) && strcmp(desktop->row.pool, pool->name) == 0;
}

static bool is_spare(const struct desktop *desktop, const struct pool *pool)
{
	return desktop->row.owner[0] == '\0' && is_of(desktop, pool);
}

static struct count count_pool(struct broker *broker, const struct pool *pool)
{
	struct count count = {0};

	for (struct desktop *at = desktops_first(broker->desktops); at; at = at->next) {
		count.taken += is_of(at, pool);
		count.spare += is_spare(at, pool);
	}
	return count;
}

/* Which spare goes first: a failed one, one that is not ready yet, any. */
static int worth(const struct desktop *desktop)
{
	return desktop_is_failed(desktop) ? 0 : desktop->state != DESKTOP_READY ? 1 : 2;
}

static struct desktop *worst_spare(struct broker *broker, const struct pool *pool)
{
	struct desktop *worst = NULL;

	for (struct desktop *at = desktops_first(broker->desktops); at; at = at->next)
		if (is_spare(at, pool) && (!worst || worth(at) < worth(worst)))
			worst = at;
	return worst;
}

static bool remove_spare(struct desktop *spare)
{
	return lifecycle_end(spare, true, "Removed", "This spare desktop was removed.") >= 0;
}

/* The pool was changed since it was booted. What else a pool says applies at the login. */
static bool is_outdated(const struct desktop *spare, const struct pool *pool)
{
	return strcmp(spare->row.image, pool->image) != 0 || spare->row.memory_mib != pool->memory_mib ||
	       spare->row.vcpus != pool->vcpus;
}

static void remove_outdated(struct broker *broker, const struct pool *pool)
{
	for (struct desktop *at = desktops_first(broker->desktops), *next; at; at = next) {
		next = at->next;
		if (is_spare(at, pool) && is_outdated(at, pool))
			remove_spare(at);
	}
}

static bool make_spare(struct broker *broker, const struct pool *pool)
{
	struct desktop_row row;
	int r;

	desktop_row_make(pool, "", &row);
	r = store_desktop_insert(broker->store, &row, broker->slots);
	if (r < 0) {
		log_error("a spare of pool %s cannot be written to the store: %s", pool->name, strerror(-r));
		return false;
	}
	if (!desktop_add(broker->desktops, &row))
		return false;
	broker_event(broker, "created", "", row.id, row.pool, "a spare desktop is made");
	sync_push(broker);
	return true;
}

static void keep_pool(struct broker *broker, const struct pool *pool)
{
	struct count count;

	remove_outdated(broker, pool);
	count = count_pool(broker, pool);
	while (count.spare > pool->min_spare && remove_spare(worst_spare(broker, pool)))
		count.spare--;
	while (count.spare < pool->min_spare && count.taken < pool->max && make_spare(broker, pool)) {
		count.spare++;
		count.taken++;
	}
}

static int timer_fired(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct broker *broker = ((struct spares *)userdata)->broker;
	_cleanup_free_ struct pool *pools = NULL;
	size_t n = 0;
	int r = store_pools(broker->store, &pools, &n);

	(void)source;
	(void)usec;
	if (r < 0)
		log_error("the pools cannot be read from the store: %s", strerror(-r));
	for (size_t i = 0; i < n; i++)
		keep_pool(broker, &pools[i]);
	return 0;
}

void spares_soon(struct broker *broker)
{
	if (broker->spares)
		broker_timer(broker, &broker->spares->timer, 0, timer_fired, broker->spares);
}

void spares_renew(struct broker *broker)
{
	for (struct desktop *at = desktops_first(broker->desktops), *next; at; at = next) {
		next = at->next;
		if (at->row.owner[0] == '\0' && !desktop_is_leaving(at) && desktop_is_failed(at))
			remove_spare(at);
	}
	spares_soon(broker);
}

int spares_new(struct broker *broker, struct spares **ret)
{
	struct spares *spares = calloc(1, sizeof(*spares));

	if (!spares)
		return -ENOMEM;
	spares->broker = broker;
	*ret = spares;
	return 0;
}

void spares_free(struct spares *spares)
{
	if (!spares)
		return;
	sd_event_source_disable_unref(spares->timer);
	free(spares);
}
