/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the pool commands share. */
#ifndef BROKER_ADMIN_POOL_H
#define BROKER_ADMIN_POOL_H

#include "broker/admin_call.h"

/* The pool that the command names. */
int admin_pool_get(struct admin_call *call, struct pool *ret, struct error *err);

/* Desktops of a pool that belong to users: their number, and one of them (untouched when there is none). */
int admin_pool_owned(struct admin_call *call, const char *pool, struct desktop_row *ret, unsigned *ret_n,
		     struct error *err);

#endif
