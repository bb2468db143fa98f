/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/copies.h"

#include "common/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static bool merge(void *row, const void *more)
{
	struct copy_row *a = row;
	const struct copy_row *b = more;

	if (a->out != b->out || strcmp(a->desktop, b->desktop) != 0 || strcmp(a->user, b->user) != 0)
		return false;
	a->count += b->count;
	a->bytes += b->bytes;
	return true;
}

static int write_row(struct store *store, const void *row)
{
	return store_copy_add(store, row);
}

void copies_add(struct collector *copies, const struct desktop *desktop, bool out, uint32_t bytes)
{
	struct copy_row row = {.time = time(NULL), .count = 1, .bytes = bytes, .out = out};

	snprintf(row.user, sizeof(row.user), "%s", desktop->row.owner);
	snprintf(row.desktop, sizeof(row.desktop), "%s", desktop->row.id);
	snprintf(row.pool, sizeof(row.pool), "%s", desktop->row.pool);
	log_notice("clipboard: user=%s desktop=%s pool=%s: %s %u bytes", row.user, row.desktop, row.pool,
		   out ? "out" : "in", bytes);
	collector_add(copies, &row);
}

int copies_new(struct broker *broker, struct collector **ret)
{
	static const struct collector_kind kind = {
	    .what = "copied texts' sizes",
	    .row_size = sizeof(struct copy_row),
	    .merge = merge,
	    .write = write_row,
	};

	return collector_new(broker, &kind, ret);
}
