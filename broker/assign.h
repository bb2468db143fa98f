/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which desktop a login gets: a pure function of who she is, what she may use and what there is. */
#ifndef BROKER_ASSIGN_H
#define BROKER_ASSIGN_H

#include "broker/gate_api.h"
#include "broker/store_rows.h"

struct assign_desktop {
	const struct desktop_row *row;
	bool ready;
	bool failed;  /* given up after its failures in a row */
	bool leaving; /* being removed for good: takes no place of the pool any more */
};

struct assign_request {
	const char *user;          /* canonical name */
	const char *const *groups; /* names, NULL-terminated */
	const char *pool;          /* of `name+pool`, NULL: no choice made */
	const struct pool *pools;  /* in order of name */
	const struct entitlement *entitlements;
	const struct assign_desktop *desktops;
	size_t n_pools, n_entitlements, n_desktops;
};

enum assign_kind { ASSIGN_REFUSED, ASSIGN_DESKTOP, ASSIGN_NEW };

/* Pointers are into the request's arrays. */
struct assign_decision {
	enum assign_kind kind;
	const struct pool *pool;
	const struct assign_desktop *desktop;  /* ASSIGN_DESKTOP: hers, or a spare (no owner) that becomes hers */
	const struct assign_desktop *replaced; /* her failed desktop of that pool, to be removed; or NULL */
	char reason[GATE_REASON_MAX];          /* ASSIGN_REFUSED: for the person, says what to do */
};

/*
 * In order: her own desktop of any pool she may use (a failed dedicated one is tried again, a failed floating one
 * replaced), else for each of her pools by name: a spare of the pool's image (ready ones first), else a new desktop
 * while the pool has fewer than its max, else a refusal.
 */
void assign_decide(const struct assign_request *request, struct assign_decision *ret);

/*
 * Splits what was typed at the last '+' where the right part names a pool and the left is not empty: user gets the left
 * part and the pool is returned. Otherwise user gets all of it and NULL is returned. user has room for strlen(typed) +
 * 1 bytes.
 */
const struct pool *assign_split_name(const char *typed, const struct pool *pools, size_t n_pools, char *user);

#endif
