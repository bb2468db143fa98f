/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/refusals.h"

#include "common/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static bool merge(void *row, const void *more)
{
	struct refusal_row *a = row;
	const struct refusal_row *b = more;

	if (strcmp(a->user, b->user) != 0 || strcmp(a->address, b->address) != 0 || strcmp(a->pool, b->pool) != 0 ||
	    strcmp(a->reason, b->reason) != 0)
		return false;
	a->count += b->count;
	return true;
}

static int write_row(struct store *store, const void *row)
{
	return store_refusal_add(store, row);
}

void refusals_add(struct collector *refusals, const char *user, const char *peer, const char *pool, const char *reason)
{
	struct refusal_row row = {.time = time(NULL), .count = 1};

	snprintf(row.user, sizeof(row.user), "%s", user);
	snprintf(row.address, sizeof(row.address), "%.*s", (int)strcspn(peer, " "), peer);
	snprintf(row.pool, sizeof(row.pool), "%s", pool);
	snprintf(row.reason, sizeof(row.reason), "%s", reason);
	log_notice("login-refused: user=%s pool=%s: login from %s refused: %s", user, pool, peer, reason);
	collector_add(refusals, &row);
}

int refusals_new(struct broker *broker, struct collector **ret)
{
	static const struct collector_kind kind = {
	    .what = "refused logins",
	    .row_size = sizeof(struct refusal_row),
	    .merge = merge,
	    .write = write_row,
	};

	return collector_new(broker, &kind, ret);
}
