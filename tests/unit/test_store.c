/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The store keeps what it was given over a close, refuses what must never be, and refuses files that are not its own.
 */
#include "broker/store.h"
#include "broker/store_schema.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "tests/unit/store_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void reopen(struct fixture *f)
{
	struct error err = {0};

	store_close(f->store);
	f->store = NULL;
	assert_int_equal(store_open(f->path, &f->store, &err), 0);
}

/* Runs SQL beside the store, which is closed for it. */
static void run_sql(struct fixture *f, const char *sql)
{
	sqlite3 *db = NULL;

	store_close(f->store);
	f->store = NULL;
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static const struct pool office = {.name = "office",
				   .image = "tiny",
				   .kind = POOL_DEDICATED,
				   .memory_mib = 512,
				   .vcpus = 2,
				   .max = 7,
				   .min_spare = 1,
				   .keyboard = "de",
				   .created = 1000,
				   .clipboard = POOL_CLIPBOARD_OUT,
				   .clipboard_primary = true,
				   .sound = true};

static void add_pool(struct fixture *f)
{
	assert_int_equal(store_pool_insert(f->store, &office), 0);
}

static struct desktop_row add_desktop(struct fixture *f, const char *id, const char *owner, int expected)
{
	struct desktop_row row = {.pool = "office", .image = "tiny", .image_version = 3, .created = 5};

	snprintf(row.id, sizeof(row.id), "%s", id);
	snprintf(row.owner, sizeof(row.owner), "%s", owner);
	assert_int_equal(store_desktop_insert(f->store, &row, 4), expected);
	return row;
}

static void pool_is_kept_over_a_restart(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ struct pool *pools = NULL;
	struct pool changed = office;
	size_t n = 0;

	add_pool(f);
	assert_int_equal(store_pool_insert(f->store, &office), -EEXIST);
	changed.kind = POOL_FLOATING;
	changed.memory_mib = 2048;
	changed.clipboard = POOL_CLIPBOARD_IN;
	changed.clipboard_primary = false;
	changed.sound = false;
	assert_int_equal(store_pool_update(f->store, &changed), 0);
	reopen(f);
	assert_int_equal(store_pools(f->store, &pools, &n), 0);
	assert_int_equal(n, 1);
	assert_memory_equal(&pools[0], &changed, sizeof(changed));
}

static void a_clipboard_s_word_that_is_not_known_forbids_all(void **state)
{
	struct fixture *f = *state;
	struct error err = {0};
	struct pool pool;

	add_pool(f);
	assert_int_equal(store_pool_get(f->store, "office", &pool), 0);
	assert_memory_equal(&pool, &office, sizeof(pool));
	run_sql(f, "UPDATE pool SET clipboard = 'some'");
	assert_int_equal(store_open(f->path, &f->store, &err), 0);
	assert_int_equal(store_pool_get(f->store, "office", &pool), 0);
	assert_int_equal(pool.clipboard, POOL_CLIPBOARD_NONE);
}

static void missing_rows_are_enoent(void **state)
{
	struct fixture *f = *state;
	struct pool pool;
	struct desktop_row desktop;
	struct session_row session;

	assert_int_equal(store_pool_get(f->store, "none", &pool), -ENOENT);
	assert_int_equal(store_pool_update(f->store, &office), -ENOENT);
	assert_int_equal(store_pool_delete(f->store, "none"), -ENOENT);
	assert_int_equal(store_desktop_get(f->store, "none", &desktop), -ENOENT);
	assert_int_equal(store_desktop_delete(f->store, "none"), -ENOENT);
	assert_int_equal(store_session_get(f->store, 1, &session), -ENOENT);
	assert_int_equal(store_viewer_delete(f->store, 1), -ENOENT);
}

static void entitlements_are_the_pools(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ struct entitlement *rows = NULL;
	struct entitlement user = {"office", ENTITLED_USER, "Zoë Müller"}, group = {"office", ENTITLED_GROUP, "staff"};
	struct entitlement lost = {"none", ENTITLED_USER, "anna"};
	size_t n = 0;

	add_pool(f);
	assert_int_equal(store_entitlement_insert(f->store, &user), 0);
	assert_int_equal(store_entitlement_insert(f->store, &user), -EEXIST);
	assert_int_equal(store_entitlement_insert(f->store, &group), 0);
	assert_int_equal(store_entitlement_insert(f->store, &lost), -EBUSY);
	assert_int_equal(store_entitlements(f->store, "office", &rows, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(rows[0].name, "Zoë Müller");
	assert_int_equal(rows[1].kind, ENTITLED_GROUP);
	assert_int_equal(store_entitlement_delete(f->store, &user), 0);
	assert_int_equal(store_entitlement_delete(f->store, &user), -ENOENT);
	assert_int_equal(store_pool_delete(f->store, "office"), 0);
	free(steal_ptr(rows));
	assert_int_equal(store_entitlements(f->store, NULL, &rows, &n), 0);
	assert_int_equal(n, 0);
}

static void one_desktop_for_each_owner_of_a_pool(void **state)
{
	struct fixture *f = *state;
	struct desktop_row first, found;

	add_pool(f);
	first = add_desktop(f, "office-a", "anna", 0);
	add_desktop(f, "office-b", "anna", -EEXIST);
	add_desktop(f, "office-c", "", 0);
	add_desktop(f, "office-d", "", 0);
	assert_int_equal(store_desktop_find(f->store, "office", "anna", &found), 0);
	assert_string_equal(found.id, "office-a");
	assert_int_equal(store_desktop_find(f->store, "office", "", &found), -ENOENT);

	/* One that is going away is no longer hers. */
	first.wanted = WANTED_ABSENT;
	assert_int_equal(store_desktop_update(f->store, &first), 0);
	assert_int_equal(store_desktop_find(f->store, "office", "anna", &found), -ENOENT);
	add_desktop(f, "office-b", "anna", 0);
	first.wanted = WANTED_RUNNING;
	assert_int_equal(store_desktop_update(f->store, &first), -EEXIST);
}

static void slots_are_the_lowest_free_below_the_limit(void **state)
{
	struct fixture *f = *state;

	add_pool(f);
	assert_int_equal(add_desktop(f, "a", "", 0).slot, 0);
	assert_int_equal(add_desktop(f, "b", "", 0).slot, 1);
	assert_int_equal(add_desktop(f, "c", "", 0).slot, 2);
	assert_int_equal(add_desktop(f, "d", "", 0).slot, 3);
	add_desktop(f, "e", "", -ENOSPC);
	assert_int_equal(store_desktop_delete(f->store, "b"), 0);
	reopen(f);
	assert_int_equal(add_desktop(f, "e", "", 0).slot, 1);
	assert_int_equal(store_desktop_delete(f->store, "a"), 0);
	assert_int_equal(add_desktop(f, "f", "", 0).slot, 0);
}

static void desktop_is_kept_over_a_restart(void **state)
{
	struct fixture *f = *state;
	struct desktop_row row, read;

	add_pool(f);
	row = add_desktop(f, "office-a", "anna", 0);
	row.wanted = WANTED_STOPPED;
	row.failures = 2;
	row.width = 1919;
	row.height = 1077;
	strcpy(row.reason, "the disk is full");
	assert_int_equal(store_desktop_update(f->store, &row), 0);
	reopen(f);
	assert_int_equal(store_desktop_get(f->store, "office-a", &read), 0);
	assert_memory_equal(&row, &read, sizeof(row));
	assert_int_equal(store_pool_delete(f->store, "office"), -EBUSY);
}

static void one_open_session_for_each_desktop(void **state)
{
	struct fixture *f = *state;
	struct session_row first = {.desktop = "office-a", .user = "anna", .uid = 1000, .started = 9}, second = first,
			   read;
	_cleanup_free_ struct session_row *rows = NULL;
	size_t n = 0;

	add_pool(f);
	add_desktop(f, "office-a", "anna", 0);
	assert_int_equal(store_session_insert(f->store, &first), 0);
	assert_int_equal(store_session_insert(f->store, &second), -EEXIST);
	assert_int_equal(store_session_set_state(f->store, first.id, SESSION_DISCONNECTED), 0);
	assert_int_equal(store_session_insert(f->store, &second), -EEXIST);
	assert_int_equal(store_session_find(f->store, "office-a", &read), 0);
	assert_int_equal(read.state, SESSION_DISCONNECTED);
	assert_int_equal(store_session_set_state(f->store, first.id, SESSION_ENDED), 0);
	assert_int_equal(store_session_find(f->store, "office-a", &read), -ENOENT);
	assert_int_equal(store_session_get(f->store, first.id, &read), 0);
	assert_int_equal(store_session_insert(f->store, &second), 0);
	assert_true(second.id > first.id);
	assert_int_equal(store_session_get(f->store, first.id, &read), -ENOENT);
	assert_int_equal(store_sessions(f->store, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].id, second.id);
}

static void viewers_survive_a_restart_and_go_with_their_desktop(void **state)
{
	struct fixture *f = *state;
	struct session_row session = {.desktop = "office-a", .user = "anna"};
	struct viewer_row first = {.desktop = "office-a", .peer = "127.0.0.1 4711", .since = 3}, second = first;
	_cleanup_free_ struct viewer_row *rows = NULL;
	size_t n = 0;

	add_pool(f);
	add_desktop(f, "office-a", "anna", 0);
	assert_int_equal(store_viewer_insert(f->store, &first, 2), -EBUSY);
	assert_int_equal(store_session_insert(f->store, &session), 0);
	first.session = second.session = session.id;
	assert_int_equal(store_viewer_insert(f->store, &first, 2), 0);
	assert_int_equal(store_viewer_insert(f->store, &second, 2), 0);
	assert_int_equal(second.slot, 1);
	assert_int_equal(store_viewer_insert(f->store, &second, 2), -ENOSPC);
	reopen(f);
	assert_int_equal(store_viewers(f->store, &rows, &n), 0);
	assert_int_equal(n, 2);
	assert_memory_equal(&rows[0], &first, sizeof(first));
	assert_int_equal(store_desktop_delete(f->store, "office-a"), 0);
	free(steal_ptr(rows));
	assert_int_equal(store_viewers(f->store, &rows, &n), 0);
	assert_int_equal(n, 0);
}

static void uids_are_kept_for_ever(void **state)
{
	struct fixture *f = *state;
	uint32_t uid = 0;

	assert_int_equal(store_user_uid(f->store, "anna", 200000, 2, &uid), 0);
	assert_int_equal(uid, 200000);
	assert_int_equal(store_user_uid(f->store, "berta@example.org", 200000, 2, &uid), 0);
	assert_int_equal(uid, 200001);
	reopen(f);
	assert_int_equal(store_user_uid(f->store, "anna", 200000, 2, &uid), 0);
	assert_int_equal(uid, 200000);
	assert_int_equal(store_user_uid(f->store, "carla", 200000, 2, &uid), -ENOSPC);
	/* Another range leaves the old ones as they are and fills from its own start. */
	assert_int_equal(store_user_uid(f->store, "carla", 199999, 10, &uid), 0);
	assert_int_equal(uid, 199999);
	assert_int_equal(store_user_uid(f->store, "dora", 199999, 10, &uid), 0);
	assert_int_equal(uid, 200002);
	assert_int_equal(store_user_uid(f->store, "", 199999, 10, &uid), -EINVAL);
}

static void generation_counts_up(void **state)
{
	struct fixture *f = *state;
	uint64_t generation = 9;

	assert_int_equal(store_generation(f->store, &generation), 0);
	assert_int_equal(generation, 0);
	assert_int_equal(store_generation_next(f->store, &generation), 0);
	reopen(f);
	assert_int_equal(store_generation_next(f->store, &generation), 0);
	assert_int_equal(generation, 2);
}

static void rollback_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	struct pool pool;

	assert_int_equal(store_begin(f->store), 0);
	assert_int_equal(store_begin(f->store), -EBUSY);
	add_pool(f);
	store_rollback(f->store);
	store_rollback(f->store);
	assert_int_equal(store_pool_get(f->store, "office", &pool), -ENOENT);
	assert_int_equal(store_commit(f->store), -EINVAL);
	assert_int_equal(store_begin(f->store), 0);
	add_pool(f);
	reopen(f);
	assert_int_equal(store_pool_get(f->store, "office", &pool), -ENOENT);
}

static void names_are_checked(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {"",    "-a",   "Office", "a b",
					  "a/b", "../x", "ä",      "123456789012345678901234567890123"};
	static const char *const bad_users[] = {
	    "", "a\nb", "a\x7f", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "a\xe2\x80\xae-b", "\xf4\x90\x80\x80", "\xc2\x85"};
	static const char *const users[] = {"anna", "DOM\\anna", "anna@example.org", "Zoë", "名前", "a b"};
	struct pool pool = office;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(name_is_valid(bad[i]));
	assert_true(name_is_valid("0-office-12345678901234567890123"));
	for (size_t i = 0; i < sizeof(bad_users) / sizeof(bad_users[0]); i++)
		assert_false(user_is_valid(bad_users[i]));
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		assert_true(user_is_valid(users[i]));
	strcpy(pool.name, "Office");
	assert_int_equal(store_pool_insert(f->store, &pool), -EINVAL);
	add_pool(f);
	add_desktop(f, "Bad/id", "", -EINVAL);
}

static void fresh_store_has_the_newest_version(void **state)
{
	struct fixture *f = *state;
	sqlite3_stmt *statement = NULL;
	sqlite3 *db = NULL;

	store_close(steal_ptr(f->store));
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(statement, 0), STORE_VERSION);
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

/* What a store of version 1 had is kept, what it did not know has its default. */
static void older_store_is_migrated(void **state)
{
	struct fixture *f = *state;
	struct session_row session = {.desktop = "office-a", .user = "anna", .uid = 2001, .state = SESSION_ACTIVE};
	struct desktop_row desktop;
	struct session_row found;
	struct error err = {0};
	struct pool pool;

	add_pool(f);
	add_desktop(f, "office-a", "anna", 0);
	assert_int_equal(store_session_insert(f->store, &session), 0);
	run_sql(f,
		"ALTER TABLE pool DROP COLUMN guest_groups; ALTER TABLE session DROP COLUMN gid;"
		"ALTER TABLE session DROP COLUMN full_name; ALTER TABLE session DROP COLUMN boot; DROP TABLE refusal;"
		"DROP TABLE copied;"
		"ALTER TABLE desktop DROP COLUMN memory_mib; ALTER TABLE desktop DROP COLUMN vcpus;"
		"ALTER TABLE pool DROP COLUMN clipboard; ALTER TABLE pool DROP COLUMN clipboard_primary;"
		"ALTER TABLE pool DROP COLUMN sound; PRAGMA user_version = 1");
	assert_int_equal(store_open(f->path, &f->store, &err), 0);
	assert_int_equal(store_pool_get(f->store, "office", &pool), 0);
	assert_string_equal(pool.guest_groups, "");
	assert_int_equal(pool.clipboard, POOL_CLIPBOARD_BOTH);
	assert_false(pool.clipboard_primary);
	assert_true(pool.sound);
	assert_int_equal(store_session_find(f->store, "office-a", &found), 0);
	assert_int_equal(found.uid, 2001);
	assert_int_equal(found.gid, 0);
	assert_string_equal(found.full_name, "");
	assert_int_equal(store_desktop_get(f->store, "office-a", &desktop), 0);
	assert_int_equal(desktop.memory_mib, office.memory_mib);
	assert_int_equal(desktop.vcpus, office.vcpus);
}

static void guest_s_user_is_kept_over_a_restart(void **state)
{
	struct fixture *f = *state;
	struct session_row session = {.desktop = "office-a",
				      .user = "anna",
				      .full_name = "Anna Z\u00f6e",
				      .uid = 2001,
				      .gid = 3001,
				      .state = SESSION_ACTIVE};
	struct session_row found;
	struct error err = {0};
	struct pool pool;

	add_pool(f);
	add_desktop(f, "office-a", "anna", 0);
	assert_int_equal(store_pool_get(f->store, "office", &pool), 0);
	strcpy(pool.guest_groups, "audio,sudo");
	assert_int_equal(store_pool_update(f->store, &pool), 0);
	assert_int_equal(store_session_insert(f->store, &session), 0);
	store_close(steal_ptr(f->store));
	assert_int_equal(store_open(f->path, &f->store, &err), 0);
	assert_int_equal(store_session_find(f->store, "office-a", &found), 0);
	assert_string_equal(found.full_name, session.full_name);
	assert_int_equal(found.boot, 0);
	assert_int_equal(store_session_set_boot(f->store, session.id, 7), 0);
	assert_int_equal(store_session_set_boot(f->store, session.id + 1, 7), -ENOENT);
	assert_int_equal(store_session_find(f->store, session.desktop, &found), 0);
	assert_int_equal(found.boot, 7);
	assert_int_equal(found.gid, 3001);
	assert_int_equal(store_pool_get(f->store, "office", &pool), 0);
	assert_string_equal(pool.guest_groups, "audio,sudo");
}

static void newer_store_is_refused(void **state)
{
	struct fixture *f = *state;
	struct error err = {0};

	run_sql(f, "PRAGMA user_version = 4711");
	assert_int_equal(store_open(f->path, &f->store, &err), -EPROTO);
	assert_non_null(strstr(err.text, "newer hotdesk"));
	assert_non_null(strstr(err.text, "4711"));
	assert_non_null(strstr(err.text, f->path));
	assert_null(f->store);
}

static void foreign_file_is_refused(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "this is no database, but long enough to be taken for the header of one by mistake";
	struct error err = {0};

	store_close(steal_ptr(f->store));
	assert_int_equal(fs_write_atomic(f->path, text, sizeof(text), 0600), 0);
	assert_int_equal(store_open(f->path, &f->store, &err), -EUCLEAN);
	assert_non_null(strstr(err.text, "damaged"));
}

static void damaged_page_is_refused(void **state)
{
	struct fixture *f = *state;
	_cleanup_free_ char *data = NULL;
	struct error err = {0};
	size_t size = 0;

	add_pool(f);
	store_close(steal_ptr(f->store));
	assert_int_equal(fs_read_file(f->path, 1 << 20, &data, &size), 0);
	assert_true(size > 12288);
	memset(data + 4096, 0x5a, 8192);
	assert_int_equal(fs_write_atomic(f->path, data, size, 0600), 0);
	assert_int_equal(store_open(f->path, &f->store, &err), -EUCLEAN);
	assert_non_null(strstr(err.text, "backup"));
}

static void second_broker_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store *second = NULL;
	struct error err = {0};

	assert_int_equal(store_open(f->path, &second, &err), -EAGAIN);
	assert_non_null(strstr(err.text, "in use"));
}

static void missing_directory_is_named(void **state)
{
	struct store *store = NULL;
	struct error err = {0};

	(void)state;
	assert_int_equal(store_open("/nonexistent/store.db", &store, &err), -EACCES);
	assert_non_null(strstr(err.text, "/nonexistent/store.db"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_set_up, store_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(pool_is_kept_over_a_restart),
	    TEST(a_clipboard_s_word_that_is_not_known_forbids_all),
	    TEST(missing_rows_are_enoent),
	    TEST(entitlements_are_the_pools),
	    TEST(one_desktop_for_each_owner_of_a_pool),
	    TEST(slots_are_the_lowest_free_below_the_limit),
	    TEST(desktop_is_kept_over_a_restart),
	    TEST(one_open_session_for_each_desktop),
	    TEST(viewers_survive_a_restart_and_go_with_their_desktop),
	    TEST(uids_are_kept_for_ever),
	    TEST(generation_counts_up),
	    TEST(rollback_leaves_nothing),
	    TEST(names_are_checked),
	    TEST(fresh_store_has_the_newest_version),
	    TEST(older_store_is_migrated),
	    TEST(guest_s_user_is_kept_over_a_restart),
	    TEST(newer_store_is_refused),
	    TEST(foreign_file_is_refused),
	    TEST(damaged_page_is_refused),
	    TEST(second_broker_is_refused),
	    cmocka_unit_test(missing_directory_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
