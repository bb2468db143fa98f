/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/assign.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct pool POOLS[] = {
    {.name = "dev", .image = "debian", .kind = POOL_DEDICATED, .max = 2},
    {.name = "office", .image = "tiny", .kind = POOL_FLOATING, .max = 2},
};

static const struct entitlement RIGHTS[] = {
    {.pool = "dev", .kind = ENTITLED_GROUP, .name = "developers"},
    {.pool = "dev", .kind = ENTITLED_USER, .name = "both"},
    {.pool = "office", .kind = ENTITLED_USER, .name = "alice"},
    {.pool = "office", .kind = ENTITLED_USER, .name = "both"},
};

static const char *const NO_GROUPS[] = {NULL};

static struct desktop_row row(const char *id, const char *pool, const char *owner)
{
	struct desktop_row made = {.wanted = WANTED_RUNNING};

	snprintf(made.id, sizeof(made.id), "%s", id);
	snprintf(made.pool, sizeof(made.pool), "%s", pool);
	snprintf(made.owner, sizeof(made.owner), "%s", owner);
	snprintf(made.image, sizeof(made.image), "%s", strcmp(pool, "dev") == 0 ? "debian" : "tiny");
	return made;
}

static struct assign_decision decide(const char *user, const char *const *groups, const char *pool,
				     const struct assign_desktop *desktops, size_t n)
{
	const struct assign_request request = {
	    .user = user,
	    .groups = groups,
	    .pool = pool,
	    .pools = POOLS,
	    .n_pools = N(POOLS),
	    .entitlements = RIGHTS,
	    .n_entitlements = N(RIGHTS),
	    .desktops = desktops,
	    .n_desktops = n,
	};
	struct assign_decision decision;

	assign_decide(&request, &decision);
	return decision;
}

static void nobody_without_entitlement(void **state)
{
	static const char *const groups[] = {"staff", "alice", NULL};
	struct assign_decision decision = decide("mallory", groups, NULL, NULL, 0);

	(void)state;
	assert_int_equal(decision.kind, ASSIGN_REFUSED);
	assert_non_null(strstr(decision.reason, "entitle"));
}

static void group_names_do_not_entitle_users_and_back(void **state)
{
	(void)state;
	assert_int_equal(decide("developers", NO_GROUPS, NULL, NULL, 0).kind, ASSIGN_REFUSED);
}

static void a_group_entitles(void **state)
{
	static const char *const groups[] = {"users", "developers", NULL};
	struct assign_decision decision = decide("carol", groups, NULL, NULL, 0);

	(void)state;
	assert_int_equal(decision.kind, ASSIGN_NEW);
	assert_string_equal(decision.pool->name, "dev");
}

static void chosen_pool_needs_entitlement(void **state)
{
	struct assign_decision decision = decide("alice", NO_GROUPS, "dev", NULL, 0);

	(void)state;
	assert_int_equal(decision.kind, ASSIGN_REFUSED);
	assert_non_null(strstr(decision.reason, "dev"));
}

static void own_desktop_comes_before_a_spare(void **state)
{
	struct desktop_row spare = row("s", "office", ""), own = row("o", "office", "alice");
	struct assign_desktop desktops[] = {{.row = &spare, .ready = true}, {.row = &own}};
	struct assign_decision decision = decide("alice", NO_GROUPS, NULL, desktops, 2);

	(void)state;
	assert_int_equal(decision.kind, ASSIGN_DESKTOP);
	assert_ptr_equal(decision.desktop, &desktops[1]);
}

static void own_stopped_desktop_is_hers(void **state)
{
	struct desktop_row own = row("o", "dev", "both");
	struct assign_desktop desktops[] = {{.row = &own}};

	(void)state;
	own.wanted = WANTED_STOPPED;
	assert_ptr_equal(decide("both", NO_GROUPS, NULL, desktops, 1).desktop, &desktops[0]);
}

static void never_anothers_desktop(void **state)
{
	struct desktop_row other = row("o", "office", "bob");
	struct assign_desktop desktops[] = {{.row = &other, .ready = true}};

	(void)state;
	assert_int_equal(decide("alice", NO_GROUPS, NULL, desktops, 1).kind, ASSIGN_NEW);
}

static void own_desktop_without_entitlement_is_refused(void **state)
{
	struct desktop_row own = row("o", "dev", "alice");
	struct assign_desktop desktops[] = {{.row = &own, .ready = true}};
	struct assign_decision decision = decide("alice", NO_GROUPS, NULL, desktops, 1);

	(void)state;
	assert_int_equal(decision.kind, ASSIGN_NEW);
	assert_string_equal(decision.pool->name, "office");
	assert_int_equal(decide("alice", NO_GROUPS, "dev", desktops, 1).kind, ASSIGN_REFUSED);
}

static void ready_spare_comes_first(void **state)
{
	struct desktop_row a = row("a", "office", ""), b = row("b", "office", "");
	struct assign_desktop desktops[] = {{.row = &a}, {.row = &b, .ready = true}};

	(void)state;
	assert_ptr_equal(decide("alice", NO_GROUPS, NULL, desktops, 2).desktop, &desktops[1]);
	desktops[1].ready = false;
	assert_ptr_equal(decide("alice", NO_GROUPS, NULL, desktops, 2).desktop, &desktops[0]);
}

static void unfit_spares_are_passed_over(void **state)
{
	struct desktop_row a = row("a", "office", ""), b = row("b", "office", ""), c = row("c", "dev", "");
	struct assign_desktop desktops[] = {
	    {.row = &a, .failed = true}, {.row = &b, .ready = true, .leaving = true}, {.row = &c, .ready = true}};

	(void)state;
	assert_int_equal(decide("alice", NO_GROUPS, NULL, desktops, 3).kind, ASSIGN_NEW);
	desktops[0].failed = false;
	snprintf(a.image, sizeof(a.image), "older");
	assert_int_equal(decide("alice", NO_GROUPS, NULL, desktops, 3).kind, ASSIGN_NEW);
}

static void full_pool_says_so(void **state)
{
	struct desktop_row a = row("a", "office", "bob"), b = row("b", "office", "carol");
	struct assign_desktop desktops[] = {{.row = &a}, {.row = &b}};
	struct assign_decision decision = decide("alice", NO_GROUPS, NULL, desktops, 2);

	(void)state;
	assert_int_equal(decision.kind, ASSIGN_REFUSED);
	assert_non_null(strstr(decision.reason, "2 of 2"));
	assert_non_null(strstr(decision.reason, "office"));
	desktops[1].leaving = true;
	assert_int_equal(decide("alice", NO_GROUPS, NULL, desktops, 2).kind, ASSIGN_NEW);
}

static void failed_floating_desktop_is_replaced(void **state)
{
	struct desktop_row own = row("o", "office", "alice"), other = row("b", "office", "bob");
	struct assign_desktop desktops[] = {{.row = &own, .failed = true}, {.row = &other}};
	struct assign_decision decision = decide("alice", NO_GROUPS, NULL, desktops, 2);

	(void)state;
	assert_int_equal(decision.kind, ASSIGN_NEW);
	assert_ptr_equal(decision.replaced, &desktops[0]);
}

static void failed_dedicated_desktop_is_tried_again(void **state)
{
	struct desktop_row own = row("o", "dev", "both");
	struct assign_desktop desktops[] = {{.row = &own, .failed = true}};
	struct assign_decision decision = decide("both", NO_GROUPS, "dev", desktops, 1);

	(void)state;
	assert_int_equal(decision.kind, ASSIGN_DESKTOP);
	assert_ptr_equal(decision.desktop, &desktops[0]);
}

static void several_pools_without_a_choice(void **state)
{
	struct desktop_row own = row("o", "office", "both");
	struct desktop_row a = row("a", "dev", "x"), b = row("b", "dev", "y");
	struct assign_desktop desktops[] = {{.row = &own}, {.row = &a}, {.row = &b}};

	(void)state;
	assert_string_equal(decide("both", NO_GROUPS, NULL, NULL, 0).pool->name, "dev");
	assert_string_equal(decide("both", NO_GROUPS, "office", NULL, 0).pool->name, "office");
	assert_ptr_equal(decide("both", NO_GROUPS, NULL, desktops, 1).desktop, &desktops[0]);
	/* dev is full: the next pool of hers has room. */
	assert_string_equal(decide("both", NO_GROUPS, NULL, desktops + 1, 2).pool->name, "office");
}

static void all_pools_full_names_the_first(void **state)
{
	struct desktop_row rows[] = {row("a", "dev", "x"), row("b", "dev", "y"), row("c", "office", "x"),
				     row("d", "office", "y")};
	struct assign_desktop desktops[N(rows)];
	struct assign_decision decision;

	(void)state;
	for (size_t i = 0; i < N(rows); i++)
		desktops[i] = (struct assign_desktop){.row = &rows[i]};
	decision = decide("both", NO_GROUPS, NULL, desktops, N(rows));
	assert_int_equal(decision.kind, ASSIGN_REFUSED);
	assert_non_null(strstr(decision.reason, "dev"));
}

static void no_pools_at_all(void **state)
{
	const struct assign_request request = {.user = "alice"};
	struct assign_decision decision;

	(void)state;
	assign_decide(&request, &decision);
	assert_int_equal(decision.kind, ASSIGN_REFUSED);
	assert_non_null(strstr(decision.reason, "administrator"));
}

static void name_is_split_where_the_right_part_is_a_pool(void **state)
{
	static const struct {
		const char *typed, *user, *pool;
	} cases[] = {
	    {"alice", "alice", NULL},
	    {"alice+dev", "alice", "dev"},
	    {"a+b+office", "a+b", "office"},
	    {"alice+other", "alice+other", NULL},
	    {"alice+dev+x", "alice+dev+x", NULL},
	    {"alice+", "alice+", NULL},
	    {"+dev", "+dev", NULL},
	    {"", "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		char user[64];
		const struct pool *pool = assign_split_name(cases[i].typed, POOLS, N(POOLS), user);

		assert_string_equal(user, cases[i].user);
		if (cases[i].pool)
			assert_string_equal(pool->name, cases[i].pool);
		else
			assert_null(pool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nobody_without_entitlement),
	    cmocka_unit_test(group_names_do_not_entitle_users_and_back),
	    cmocka_unit_test(a_group_entitles),
	    cmocka_unit_test(chosen_pool_needs_entitlement),
	    cmocka_unit_test(own_desktop_comes_before_a_spare),
	    cmocka_unit_test(own_stopped_desktop_is_hers),
	    cmocka_unit_test(never_anothers_desktop),
	    cmocka_unit_test(own_desktop_without_entitlement_is_refused),
	    cmocka_unit_test(ready_spare_comes_first),
	    cmocka_unit_test(unfit_spares_are_passed_over),
	    cmocka_unit_test(full_pool_says_so),
	    cmocka_unit_test(failed_floating_desktop_is_replaced),
	    cmocka_unit_test(failed_dedicated_desktop_is_tried_again),
	    cmocka_unit_test(several_pools_without_a_choice),
	    cmocka_unit_test(all_pools_full_names_the_first),
	    cmocka_unit_test(no_pools_at_all),
	    cmocka_unit_test(name_is_split_where_the_right_part_is_a_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
