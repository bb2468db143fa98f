/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/accel.h"

static void flags_are_whole_words_of_the_flags_line(void **state)
{
	(void)state;
	assert_true(accel_cpu_flag("processor\t: 0\nflags\t\t: fpu vmx sse\nbugs\t: none\n"));
	assert_true(accel_cpu_flag("flags\t\t: fpu svm"));
	assert_true(accel_cpu_flag("flags\t\t: vmx"));
	assert_false(accel_cpu_flag("flags\t\t: fpu vmxx asvm\n"));
	assert_false(accel_cpu_flag("model name\t: vmx svm\nvmx flags\t: vmx\nflags\t\t: fpu\n"));
	assert_false(accel_cpu_flag(""));
}

static void assert_choice(const char *mode, struct accel_probe probe, enum accel expected, const char *words)
{
	char reason[ERROR_TEXT_MAX];

	assert_int_equal(accel_choose(mode, &probe, reason), expected);
	assert_non_null(strstr(reason, words));
}

static void kvm_only_where_all_of_it_is_there(void **state)
{
	(void)state;
	assert_choice("auto", (struct accel_probe){0, true, true}, ACCEL_KVM, "/dev/kvm");
	assert_choice("auto", (struct accel_probe){0, true, false}, ACCEL_TCG, "vmx");
	assert_choice("auto", (struct accel_probe){0, false, true}, ACCEL_TCG, "does not answer");
	assert_choice("auto", (struct accel_probe){-ENOENT, false, true}, ACCEL_TCG, "no /dev/kvm");
	assert_choice("auto", (struct accel_probe){-EACCES, false, true}, ACCEL_TCG, "group kvm");
	assert_choice("auto", (struct accel_probe){-EACCES, false, false}, ACCEL_TCG, "vmx");
}

static void what_is_demanded_and_not_there_is_an_error(void **state)
{
	(void)state;
	assert_choice("kvm", (struct accel_probe){0, true, true}, ACCEL_KVM, "can be used");
	assert_choice("kvm", (struct accel_probe){0, true, false}, ACCEL_NONE, "cannot be had");
	assert_choice("tcg", (struct accel_probe){0, true, true}, ACCEL_TCG, "emulated");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(flags_are_whole_words_of_the_flags_line),
	    cmocka_unit_test(kvm_only_where_all_of_it_is_there),
	    cmocka_unit_test(what_is_demanded_and_not_there_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
