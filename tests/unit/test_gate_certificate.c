/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/cleanup.h"
#include "common/fs.h"
#include "display/gate/certificate.h"
#include "display/gate/certificate_facts.h"
#include "display/gate/names.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static int make_directory(void **state)
{
	static char directory[64];

	snprintf(directory, sizeof(directory), "/tmp/hotdesk-certificate-XXXXXX");
	*state = mkdtemp(directory);
	return *state ? 0 : -1;
}

static int remove_directory(void **state)
{
	return fs_remove_tree(*state);
}

static const char *in(const char *directory, const char *name)
{
	static char paths[4][PATH_MAX];
	static int next;
	char *path = paths[next++ % 4];

	assert_int_equal(fs_path(path, PATH_MAX, "%s/%s", directory, name), 0);
	return path;
}

/* The fingerprint of the directory's own certificate. */
static void own(const char *directory, const char *names, char fingerprint[96])
{
	_cleanup_(certificate_clear) struct certificate certificate = {0};
	struct error err = {0};
	SSL_CTX *context;

	assert_int_equal(certificate_own(directory, names, &certificate, &err), 0);
	context = certificate_context(&certificate, &err);
	assert_non_null(context);
	SSL_CTX_free(context);
	assert_int_equal(certificate_fingerprint(certificate.chain, fingerprint), 0);
	assert_int_equal(strlen(fingerprint), 32 * 3 - 1);
}

static void is_made_once_and_again_when_names_change(void **state)
{
	char first[96], again[96], other[96];

	own(*state, "", first);
	own(*state, "", again);
	assert_string_equal(first, again);
	own(*state, "desk.example.org", other);
	assert_string_not_equal(first, other);
	own(*state, "desk.example.org", again);
	assert_string_equal(other, again);
}

static void keys_are_private(void **state)
{
	static const char *const keys[] = {"ca.key", "key.pem"};
	char fingerprint[96];
	struct stat st;

	own(*state, "", fingerprint);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(stat(in(*state, keys[i]), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
}

static void lost_server_files_are_made_again_by_the_same_ca(void **state)
{
	_cleanup_free_ char *before = NULL, *after = NULL;
	char fingerprint[96];

	own(*state, "", fingerprint);
	assert_int_equal(fs_read_file(in(*state, "ca.pem"), 65536, &before, NULL), 0);
	assert_int_equal(unlink(in(*state, "key.pem")), 0);
	own(*state, "", fingerprint);
	assert_int_equal(fs_read_file(in(*state, "ca.pem"), 65536, &after, NULL), 0);
	assert_string_equal(before, after);
}

static void renewing_makes_a_new_pair_by_the_same_ca(void **state)
{
	_cleanup_free_ char *ca = NULL, *ca_after = NULL, *key = NULL, *key_after = NULL;
	char before[96], after[96], kept[96];
	struct error err = {0};

	own(*state, "", before);
	assert_int_equal(fs_read_file(in(*state, "ca.pem"), 65536, &ca, NULL), 0);
	assert_int_equal(fs_read_file(in(*state, "key.pem"), 65536, &key, NULL), 0);
	assert_int_equal(certificate_renew(*state, "", &err), 0);
	own(*state, "", after);
	assert_string_not_equal(before, after);
	own(*state, "", kept);
	assert_string_equal(after, kept);
	assert_int_equal(fs_read_file(in(*state, "ca.pem"), 65536, &ca_after, NULL), 0);
	assert_int_equal(fs_read_file(in(*state, "key.pem"), 65536, &key_after, NULL), 0);
	assert_string_equal(ca, ca_after);
	assert_string_not_equal(key, key_after);
}

static void renewing_makes_no_ca(void **state)
{
	struct error err = {0};

	assert_int_equal(certificate_renew(*state, "", &err), -ENOENT);
	assert_int_equal(access(in(*state, "ca.key"), F_OK), -1);
}

static void facts_are_those_of_the_first_certificate(void **state)
{
	_cleanup_free_ char *chain = NULL;
	struct certificate_facts facts;
	char fingerprint[96];

	own(*state, "desk.example.org", fingerprint);
	assert_int_equal(fs_read_file(in(*state, "cert.pem"), 65536, &chain, NULL), 0);
	assert_int_equal(certificate_facts(chain, &facts), 0);
	assert_string_equal(facts.fingerprint, fingerprint);
	assert_non_null(strstr(facts.names, "DNS:desk.example.org"));
	assert_non_null(strstr(facts.subject, "O=hotdesk"));
	assert_non_null(strstr(facts.issuer, "CN=hotdesk CA of "));
	assert_int_equal(facts.not_after - facts.not_before, 730 * 86400 + 3600);
	assert_int_equal(certificate_facts("no certificate", &facts), -EINVAL);
}

static void days_are_whole_ones(void **state)
{
	(void)state;
	assert_int_equal(certificate_days_left(86400, 0), 1);
	assert_int_equal(certificate_days_left(86399, 0), 0);
	assert_int_equal(certificate_days_left(100, 101), -1);
	assert_int_equal(certificate_days_left(0, 86401), -2);
}

static void a_start_that_was_cut_off_is_made_good(void **state)
{
	char fingerprint[96];

	assert_int_equal(fs_write_atomic(in(*state, "ca.key"), "half", 4, 0600), 0);
	own(*state, "", fingerprint);
}

static void a_damaged_ca_is_never_replaced_silently(void **state)
{
	_cleanup_(certificate_clear) struct certificate certificate = {0};
	char fingerprint[96];
	struct error err = {0};

	own(*state, "", fingerprint);
	assert_int_equal(unlink(in(*state, "ca.key")), 0);
	assert_int_equal(certificate_own(*state, "", &certificate, &err), -ENOENT);
	assert_non_null(strstr(err.text, "restore"));
	assert_int_equal(fs_write_atomic(in(*state, "ca.key"), "nonsense", 8, 0600), 0);
	assert_true(certificate_own(*state, "", &certificate, &err) < 0);
	assert_non_null(strstr(err.text, "damaged"));
}

static void names_are_those_of_the_machine_and_no_others(void **state)
{
	_cleanup_free_ char *names =
	    names_of_host("desk.example.org, 192.0.2.9 2001:db8::9, otherName:1.2.3;UTF8:x,-x, a/b");

	(void)state;
	assert_non_null(names);
	assert_non_null(strstr(names, "DNS:desk.example.org"));
	assert_non_null(strstr(names, "IP:192.0.2.9"));
	assert_non_null(strstr(names, "IP:2001:db8::9"));
	assert_non_null(strstr(names, "DNS:localhost"));
	assert_non_null(strstr(names, "IP:127.0.0.1"));
	assert_non_null(strstr(names, "IP:::1"));
	assert_null(strstr(names, "otherName"));
	assert_null(strstr(names, "DNS:-x"));
	assert_null(strstr(names, "a/b"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)
	    IN_DIRECTORY(is_made_once_and_again_when_names_change),
	    IN_DIRECTORY(keys_are_private),
	    IN_DIRECTORY(lost_server_files_are_made_again_by_the_same_ca),
	    IN_DIRECTORY(renewing_makes_a_new_pair_by_the_same_ca),
	    IN_DIRECTORY(renewing_makes_no_ca),
	    IN_DIRECTORY(facts_are_those_of_the_first_certificate),
	    cmocka_unit_test(days_are_whole_ones),
	    IN_DIRECTORY(a_start_that_was_cut_off_is_made_good),
	    IN_DIRECTORY(a_damaged_ca_is_never_replaced_silently),
	    cmocka_unit_test(names_are_those_of_the_machine_and_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
