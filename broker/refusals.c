/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/refusals.h"

#include "common/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COLLECT_USEC UINT64_C(1000000)
#define COLLECT_MAX 128 /* different ones: then they are written at once */

struct refusals {
	struct broker *broker;
	sd_event_source *timer;
	size_t n;
	struct refusal_row rows[COLLECT_MAX];
};

static bool is_same(const struct refusal_row *a, const struct refusal_row *b)
{
	return strcmp(a->user, b->user) == 0 && strcmp(a->address, b->address) == 0 && strcmp(a->pool, b->pool) == 0 &&
	       strcmp(a->reason, b->reason) == 0;
}

static int write_rows(struct refusals *refusals)
{
	struct store *store = refusals->broker->store;
	int r = store_begin(store);

	for (size_t i = 0; r >= 0 && i < refusals->n; i++)
		r = store_refusal_add(store, &refusals->rows[i]);
	if (r >= 0)
		r = store_commit(store);
	if (r < 0) {
		log_error("refused logins cannot be written to the store: %s (%s)", strerror(-r), store_message(store));
		store_rollback(store);
	} else {
		refusals->n = 0;
	}
	return r;
}

static int timer_fired(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct refusals *refusals = userdata;

	(void)source;
	(void)usec;
	refusals->timer = sd_event_source_disable_unref(refusals->timer);
	if (write_rows(refusals) < 0)
		broker_timer(refusals->broker, &refusals->timer, COLLECT_USEC, timer_fired, refusals);
	return 0;
}

static void collect(struct refusals *refusals, const struct refusal_row *row)
{
	for (size_t i = 0; i < refusals->n; i++)
		if (is_same(&refusals->rows[i], row)) {
			refusals->rows[i].count++;
			return;
		}
	if (refusals->n == COLLECT_MAX && write_rows(refusals) < 0)
		refusals->n = 0; /* the log has them */
	refusals->rows[refusals->n++] = *row;
}

void refusals_add(struct refusals *refusals, const char *user, const char *peer, const char *pool, const char *reason)
{
	struct refusal_row row = {.time = time(NULL), .count = 1};

	snprintf(row.user, sizeof(row.user), "%s", user);
	snprintf(row.address, sizeof(row.address), "%.*s", (int)strcspn(peer, " "), peer);
	snprintf(row.pool, sizeof(row.pool), "%s", pool);
	snprintf(row.reason, sizeof(row.reason), "%s", reason);
	log_notice("login-refused: user=%s pool=%s: login from %s refused: %s", user, pool, peer, reason);
	collect(refusals, &row);
	if (!refusals->timer)
		broker_timer(refusals->broker, &refusals->timer, COLLECT_USEC, timer_fired, refusals);
}

int refusals_new(struct broker *broker, struct refusals **ret)
{
	struct refusals *refusals = calloc(1, sizeof(*refusals));

	if (!refusals)
		return -ENOMEM;
	refusals->broker = broker;
	*ret = refusals;
	return 0;
}

void refusals_free(struct refusals *refusals)
{
	if (!refusals)
		return;
	sd_event_source_disable_unref(refusals->timer);
	if (refusals->n > 0)
		write_rows(refusals);
	free(refusals);
}
