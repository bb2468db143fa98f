/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Rows for the store of which strangers or guests can cause any number: those that are alike are one, and all are
 * written about once a second in one transaction.
 */
#ifndef BROKER_COLLECTOR_H
#define BROKER_COLLECTOR_H

#include "broker/broker.h"

struct collector;

struct collector_kind {
	const char *what; /* "refused logins" */
	size_t row_size;
	/* Counts `more` into `row`; false: they are not alike. */
	bool (*merge)(void *row, const void *more);
	int (*write)(struct store *store, const void *row);
};

int collector_new(struct broker *broker, const struct collector_kind *kind, struct collector **ret);
/* Writes what is left. */
void collector_free(struct collector *collector);
/* The row is copied. */
void collector_add(struct collector *collector, const void *row);

#endif
