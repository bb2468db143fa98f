/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/collector.h"

#include "common/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define COLLECT_USEC UINT64_C(1000000)
#define COLLECT_MAX 128 /* different ones: then they are written at once */

struct collector {
	struct broker *broker;
	const struct collector_kind *kind;
	sd_event_source *timer;
	size_t n;
	_Alignas(max_align_t) char rows[];
};

static void *row_at(struct collector *collector, size_t i)
{
	return collector->rows + i * collector->kind->row_size;
}

static int write_rows(struct collector *collector)
{
	struct store *store = collector->broker->store;
	int r = store_begin(store);

	for (size_t i = 0; r >= 0 && i < collector->n; i++)
		r = collector->kind->write(store, row_at(collector, i));
	if (r >= 0)
		r = store_commit(store);
	if (r < 0) {
		log_error("%s cannot be written to the store: %s (%s)", collector->kind->what, strerror(-r),
			  store_message(store));
		store_rollback(store);
	} else {
		collector->n = 0;
	}
	return r;
}

static int timer_fired(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct collector *collector = userdata;

	(void)source;
	(void)usec;
	collector->timer = sd_event_source_disable_unref(collector->timer);
	if (write_rows(collector) < 0)
		broker_timer(collector->broker, &collector->timer, COLLECT_USEC, timer_fired, collector);
	return 0;
}

static bool merge(struct collector *collector, const void *row)
{
	for (size_t i = 0; i < collector->n; i++)
		if (collector->kind->merge(row_at(collector, i), row))
			return true;
	return false;
}

void collector_add(struct collector *collector, const void *row)
{
	if (!merge(collector, row)) {
		if (collector->n == COLLECT_MAX && write_rows(collector) < 0)
			collector->n = 0; /* the log has them */
		memcpy(row_at(collector, collector->n++), row, collector->kind->row_size);
	}
	if (!collector->timer)
		broker_timer(collector->broker, &collector->timer, COLLECT_USEC, timer_fired, collector);
}

int collector_new(struct broker *broker, const struct collector_kind *kind, struct collector **ret)
{
	struct collector *collector = calloc(1, sizeof(*collector) + COLLECT_MAX * kind->row_size);

	if (!collector)
		return -ENOMEM;
	collector->broker = broker;
	collector->kind = kind;
	*ret = collector;
	return 0;
}

void collector_free(struct collector *collector)
{
	if (!collector)
		return;
	sd_event_source_disable_unref(collector->timer);
	if (collector->n > 0)
		write_rows(collector);
	free(collector);
}
