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

#include "host/json.h"
#include "host/vm_record.h"

static void a_record_survives_its_text(void **state)
{
	struct vm_record record = {
	    .id = "desk-1",
	    .slot = 7,
	    .image = "tiny",
	    .image_version = 3,
	    .memory_mib = 384,
	    .vcpus = 2,
	    .nat = true,
	    .generation = 12,
	    .boot = 4,
	    .running = true,
	    .ready = true,
	    .sign_in = true,
	    .cause = VM_CAUSE_CRASH,
	    .reason = "it \"fell\" over",
	};
	struct vm_record read = {0};
	_cleanup_free_ char *text = vm_record_text(&record);

	(void)state;
	assert_non_null(text);
	assert_int_equal(vm_record_parse(text, strlen(text), &read), 0);
	assert_string_equal(read.id, record.id);
	assert_string_equal(read.image, record.image);
	assert_string_equal(read.reason, record.reason);
	assert_int_equal(read.slot, 7);
	assert_int_equal(read.image_version, 3);
	assert_int_equal(read.memory_mib, 384);
	assert_int_equal(read.vcpus, 2);
	assert_int_equal(read.generation, 12);
	assert_int_equal(read.boot, 4);
	assert_int_equal(read.cause, VM_CAUSE_CRASH);
	assert_true(read.nat && read.running && read.ready && read.sign_in);
}

static void a_damaged_record_is_refused(void **state)
{
	struct vm_record record;

	(void)state;
	assert_int_equal(vm_record_parse("", 0, &record), -EBADMSG);
	assert_int_equal(vm_record_parse("{}", 2, &record), -EBADMSG);
	assert_int_equal(vm_record_parse("[1]", 3, &record), -EBADMSG);
}

static int want(const char *text, struct vm_desired *ret, struct error *err)
{
	struct json_object *json = json_tokener_parse(text);
	int r = vm_desired_parse(json, ret, err);

	json_object_put(json);
	return r;
}

#define REST "\"image\":\"tiny\",\"image_version\":0,\"memory_mib\":384,\"vcpus\":1,\"network\":\"nat\""

static void a_wish_is_read(void **state)
{
	struct vm_desired desired;
	struct error err = {0};

	(void)state;
	assert_int_equal(want("{\"id\":\"a-1\",\"slot\":0,\"state\":\"running\"," REST "}", &desired, &err), 0);
	assert_int_equal(desired.want, VM_WANT_RUNNING);
	assert_int_equal(desired.record.image_version, 0);
	assert_true(desired.record.nat);
	assert_int_equal(want("{\"id\":\"a-1\",\"slot\":0,\"state\":\"absent\"," REST "}", &desired, &err), 0);
	assert_int_equal(desired.want, VM_WANT_ABSENT);
}

static void an_impossible_wish_is_refused(void **state)
{
	static const char *const wishes[] = {
	    "{\"id\":\"a/../b\",\"slot\":0,\"state\":\"running\"," REST "}",
	    "{\"id\":\"\",\"slot\":0,\"state\":\"running\"," REST "}",
	    "{\"id\":\"a\",\"slot\":-1,\"state\":\"running\"," REST "}",
	    "{\"id\":\"a\",\"slot\":20000,\"state\":\"running\"," REST "}",
	    "{\"id\":\"a\",\"slot\":0,\"state\":\"flying\"," REST "}",
	    "{\"id\":\"a\",\"slot\":0," REST "}",
	    "{\"id\":\"a\",\"slot\":0,\"state\":\"running\"}",
	    "{\"id\":\"a\",\"slot\":0,\"state\":\"running\",\"image\":\"../x\",\"image_version\":0,\"memory_mib\":384,"
	    "\"vcpus\":1}",
	    "[]",
	};
	struct vm_desired desired;
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
		assert_int_equal(want(wishes[i], &desired, &err), -EINVAL);
}

static void a_manifest_survives_its_text(void **state)
{
	struct image image = {
	    .name = "tiny",
	    .version = 2,
	    .size = 1000,
	    .virtual_size = 1 << 30,
	    .sha256 = "abc",
	    .created = "2026-01-01T00:00:00Z",
	    .direct_boot = true,
	    .append = "root=/dev/vda rw \"quoted\"",
	};
	struct image read = {0};
	_cleanup_free_ char *text = image_manifest(&image);

	(void)state;
	assert_non_null(text);
	assert_int_equal(image_manifest_parse(text, strlen(text), &read), 0);
	assert_string_equal(read.append, image.append);
	assert_string_equal(read.sha256, image.sha256);
	assert_int_equal(read.virtual_size, image.virtual_size);
	assert_int_equal(read.version, 2);
	assert_true(read.direct_boot);
	assert_int_equal(image_manifest_parse("{\"name\":\"tiny\"}", 15, &read), -EBADMSG);
}

static void names(void **state)
{
	(void)state;
	assert_true(image_name_valid("debian-12"));
	assert_false(image_name_valid("-x") || image_name_valid("") || image_name_valid("A") ||
		     image_name_valid("a/b"));
	assert_false(image_name_valid("0123456789012345678901234567890123"));
	assert_true(desktop_id_valid("desk-0001"));
	assert_false(desktop_id_valid(".") || desktop_id_valid("") || desktop_id_valid("a.b"));
	assert_false(image_append_valid("a\nb") || image_append_valid("\x80"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_record_survives_its_text),
	    cmocka_unit_test(a_damaged_record_is_refused),
	    cmocka_unit_test(a_wish_is_read),
	    cmocka_unit_test(an_impossible_wish_is_refused),
	    cmocka_unit_test(a_manifest_survives_its_text),
	    cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
