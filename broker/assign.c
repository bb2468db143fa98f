/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/assign.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void refuse(struct assign_decision *decision, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void refuse(struct assign_decision *decision, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	*decision = (struct assign_decision){.kind = ASSIGN_REFUSED};
	vsnprintf(decision->reason, sizeof(decision->reason), format, args);
	va_end(args);
}

static bool has_group(const struct assign_request *request, const char *name)
{
	for (const char *const *group = request->groups; group && *group; group++)
		if (strcmp(*group, name) == 0)
			return true;
	return false;
}

static bool may_use(const struct assign_request *request, const struct pool *pool)
{
	for (size_t i = 0; i < request->n_entitlements; i++) {
		const struct entitlement *entitlement = &request->entitlements[i];

		if (strcmp(entitlement->pool, pool->name) != 0)
			continue;
		if (entitlement->kind == ENTITLED_USER ? strcmp(entitlement->name, request->user) == 0
						       : has_group(request, entitlement->name))
			return true;
	}
	return false;
}

static bool is_choice(const struct assign_request *request, const struct pool *pool)
{
	return (!request->pool || strcmp(request->pool, pool->name) == 0) && may_use(request, pool);
}

static bool stands_in(const struct assign_desktop *desktop, const struct pool *pool)
{
	return !desktop->leaving && strcmp(desktop->row->pool, pool->name) == 0;
}

static const struct assign_desktop *find_own(const struct assign_request *request, const struct pool *pool)
{
	for (size_t i = 0; i < request->n_desktops; i++) {
		const struct assign_desktop *desktop = &request->desktops[i];

		if (strcmp(desktop->row->owner, request->user) == 0 && stands_in(desktop, pool))
			return desktop;
	}
	return NULL;
}

/* A failed floating desktop holds nothing of hers, a dedicated one everything. */
static bool is_lost(const struct assign_desktop *desktop, const struct pool *pool)
{
	return desktop->failed && pool->kind == POOL_FLOATING;
}

static bool decide_own(const struct assign_request *request, const struct pool *pool, struct assign_decision *ret)
{
	const struct assign_desktop *own = find_own(request, pool);

	if (!own || is_lost(own, pool))
		return false;
	*ret = (struct assign_decision){.kind = ASSIGN_DESKTOP, .pool = pool, .desktop = own};
	return true;
}

static const struct assign_desktop *find_spare(const struct assign_request *request, const struct pool *pool)
{
	const struct assign_desktop *found = NULL;

	for (size_t i = 0; i < request->n_desktops; i++) {
		const struct assign_desktop *desktop = &request->desktops[i];

		if (desktop->row->owner[0] != '\0' || desktop->failed || !stands_in(desktop, pool) ||
		    strcmp(desktop->row->image, pool->image) != 0)
			continue;
		if (desktop->ready)
			return desktop;
		if (!found)
			found = desktop;
	}
	return found;
}

/* Her failed desktop makes room for the new one. */
static size_t count_taken(const struct assign_request *request, const struct pool *pool,
			  const struct assign_desktop *replaced)
{
	size_t n = 0;

	for (size_t i = 0; i < request->n_desktops; i++)
		if (stands_in(&request->desktops[i], pool) && &request->desktops[i] != replaced)
			n++;
	return n;
}

static bool decide_other(const struct assign_request *request, const struct pool *pool, struct assign_decision *ret)
{
	const struct assign_desktop *lost = find_own(request, pool);
	const struct assign_desktop *spare = find_spare(request, pool);
	size_t taken = count_taken(request, pool, lost);

	if (spare)
		*ret =
		    (struct assign_decision){.kind = ASSIGN_DESKTOP, .pool = pool, .desktop = spare, .replaced = lost};
	else if (taken < pool->max)
		*ret = (struct assign_decision){.kind = ASSIGN_NEW, .pool = pool, .replaced = lost};
	else
		refuse(ret,
		       "All desktops of pool %s are in use (%zu of %u). Try again later, or ask your administrator to "
		       "raise the pool's max.",
		       pool->name, taken, pool->max);
	return ret->kind != ASSIGN_REFUSED;
}

static void refuse_no_pool(const struct assign_request *request, struct assign_decision *ret)
{
	if (request->pool)
		refuse(ret,
		       "You may not use the pool %s. Log in with your user name alone, or ask your administrator to "
		       "entitle you to it.",
		       request->pool);
	else
		refuse(ret, "No desktop is set up for you. Ask your administrator to entitle you to a pool.");
}

void assign_decide(const struct assign_request *request, struct assign_decision *ret)
{
	struct assign_decision later;
	bool may = false;

	for (size_t i = 0; i < request->n_pools; i++)
		if (is_choice(request, &request->pools[i]) && decide_own(request, &request->pools[i], ret))
			return;
	for (size_t i = 0; i < request->n_pools; i++) {
		if (!is_choice(request, &request->pools[i]))
			continue;
		if (decide_other(request, &request->pools[i], may ? &later : ret)) {
			if (may)
				*ret = later;
			return;
		}
		may = true;
	}
	if (!may)
		refuse_no_pool(request, ret);
}

const struct pool *assign_split_name(const char *typed, const struct pool *pools, size_t n_pools, char *user)
{
	const char *plus = strrchr(typed, '+');

	memcpy(user, typed, strlen(typed) + 1);
	if (!plus || plus == typed)
		return NULL;
	for (size_t i = 0; i < n_pools; i++) {
		if (strcmp(plus + 1, pools[i].name) != 0)
			continue;
		user[plus - typed] = '\0';
		return &pools[i];
	}
	return NULL;
}
