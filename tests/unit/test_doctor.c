/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/findings.h"
#include "broker/cli/pam_service.h"
#include "common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NAMES_SIZE 256

static void collect(const char *name, void *userdata)
{
	char *names = userdata;
	size_t used = strlen(names);

	snprintf(names + used, NAMES_SIZE - used, "%s ", name);
}

static void a_service_is_read(void **state)
{
	char modules[NAMES_SIZE] = "";
	struct pam_service service =
	    pam_service_read("# comment\n\nauth [success=1 default=ignore] pam_unix.so nullok \\\n  try_first_pass\n"
			     "-auth\toptional pam_extra.so # why\naccount required /opt/pam_other.so\n",
			     collect, modules);

	(void)state;
	assert_true(service.auth && service.account && !service.anybody);
	assert_int_equal(service.wrong_line, 0);
	assert_string_equal(modules, "pam_unix.so pam_extra.so /opt/pam_other.so ");
}

static void includes_may_hold_everything_and_are_no_modules(void **state)
{
	char modules[NAMES_SIZE] = "";
	struct pam_service service = pam_service_read("@include common-auth\n", collect, modules);

	(void)state;
	assert_true(service.auth && service.account && !service.anybody);
	service = pam_service_read("auth include common-auth\n", collect, modules);
	assert_true(service.auth && !service.account && !service.anybody);
	assert_string_equal(modules, "");
}

static void what_lets_anybody_in_is_seen(void **state)
{
	(void)state;
	assert_true(pam_service_read("auth required pam_permit.so\n", NULL, NULL).anybody);
	assert_false(pam_service_read("auth requisite pam_deny.so\nauth required pam_permit.so\n", NULL, NULL).anybody);
	assert_false(pam_service_read("account required pam_permit.so\n", NULL, NULL).anybody);
	assert_false(pam_service_read("", NULL, NULL).auth);
}

static void the_first_wrong_line_is_named(void **state)
{
	(void)state;
	assert_int_equal(pam_service_read("auth required pam_unix.so\nnonsense\nmore\n", NULL, NULL).wrong_line, 2);
	assert_int_equal(pam_service_read("auth required", NULL, NULL).wrong_line, 1);
	assert_int_equal(pam_service_read("auth [success=1 pam_unix.so", NULL, NULL).wrong_line, 1);
}

static void findings_are_counted_and_printed_with_what_to_do(void **state)
{
	_cleanup_(findings_freep) struct findings *findings = findings_new();
	_cleanup_free_ char *text = NULL;
	struct json_object *number = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(findings);
	findings_add(findings, FINDING_OK, "disk", NULL, "%d free", 7);
	findings_add(findings, FINDING_NOTE, "kvm", NULL, "slow");
	assert_int_equal(findings_problems(findings), 0);
	findings_add(findings, FINDING_PROBLEM, "pam", "make it", "no file");
	assert_int_equal(findings_problems(findings), 1);
	findings_print(findings, out);
	fclose(out);
	assert_string_equal(text, "ok       disk  7 free\nnote     kvm   slow\nproblem  pam   no file: make it\n");
	assert_true(json_object_object_get_ex(findings_json(findings), "problems", &number));
	assert_int_equal(json_object_get_int(number), 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_service_is_read),
	    cmocka_unit_test(includes_may_hold_everything_and_are_no_modules),
	    cmocka_unit_test(what_lets_anybody_in_is_seen),
	    cmocka_unit_test(the_first_wrong_line_is_named),
	    cmocka_unit_test(findings_are_counted_and_printed_with_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
