/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An empty store in a directory of its own. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include "broker/store.h"

struct fixture {
	char directory[64], path[96];
	struct store *store;
};

/* For cmocka. */
int store_set_up(void **state);
int store_tear_down(void **state);

#endif
