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

#include "host/overlay.h"
#include "host/qcow2_check.h"
#include "host/qcow2_format.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

/* A good file to damage: what overlay_make writes is a whole image without data. */
struct file {
	uint8_t *data;
	size_t size;
};

static int make_file(void **state)
{
	struct file *file = calloc(1, sizeof(*file));

	*state = file;
	return file ? overlay_make(64 * MIB, &file->data, &file->size) : -1;
}

static int free_file(void **state)
{
	struct file *file = *state;

	free(file->data);
	free(file);
	return 0;
}

static void put(struct file *file, size_t at, size_t bytes, uint64_t value)
{
	for (size_t i = 0; i < bytes; i++)
		file->data[at + i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

static int check(const struct file *file, struct qcow2_info *info, struct error *err)
{
	return qcow2_check(file->data, file->size < QCOW2_PREFIX_MAX ? file->size : QCOW2_PREFIX_MAX, file->size, info,
			   err);
}

static void assert_says_what_to_do(const char *text)
{
	if (!strstr(text, "`qemu-img ") && !strstr(text, "copy it again"))
		fail_msg("\"%s\" does not say what to do", text);
}

static void assert_refused(const struct file *file, const char *words)
{
	struct qcow2_info info;
	struct error err = {0};

	assert_int_equal(check(file, &info, &err), -EINVAL);
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
	assert_says_what_to_do(err.text);
}

static void a_whole_image_is_taken(void **state)
{
	struct qcow2_info info = {0};
	struct error err = {0};

	assert_int_equal(check(*state, &info, &err), 0);
	assert_int_equal(info.virtual_size, 64 * MIB);
	assert_int_equal(info.cluster_bits, 16);
	assert_int_equal(info.l1_size, 1);
}

static void something_else_is_told_how_to_convert(void **state)
{
	put(*state, QCOW2_AT_MAGIC, 4, 0x7f454c46);
	assert_refused(*state, "qemu-img convert -O qcow2");
}

static void a_short_file_is_no_image(void **state)
{
	struct file *file = *state;

	file->size = 40;
	assert_refused(file, "not a qcow2 image");
	file->size = 90;
	assert_refused(file, "cut off");
	file->size = 0;
	assert_refused(file, "not a qcow2 image");
}

static void a_future_version_is_refused(void **state)
{
	put(*state, QCOW2_AT_VERSION, 4, 4);
	assert_refused(*state, "version 4");
}

static void a_backing_file_is_refused(void **state)
{
	put(*state, QCOW2_AT_BACKING_OFFSET, 8, 512);
	assert_refused(*state, "backing file");
}

static void an_external_data_file_is_refused_by_bit_and_by_extension(void **state)
{
	put(*state, QCOW2_AT_INCOMPATIBLE, 8, QCOW2_INCOMPATIBLE_DATA_FILE);
	assert_refused(*state, "external file");
	put(*state, QCOW2_AT_INCOMPATIBLE, 8, 0);
	put(*state, QCOW2_HEADER_SIZE_V3, 4, QCOW2_EXTENSION_DATA_FILE);
	put(*state, QCOW2_HEADER_SIZE_V3 + 4, 4, 8);
	assert_refused(*state, "external data file");
}

static void unknown_features_are_refused(void **state)
{
	put(*state, QCOW2_AT_INCOMPATIBLE, 8, UINT64_C(1) << 40);
	assert_refused(*state, "0x10000000000");
	put(*state, QCOW2_AT_INCOMPATIBLE, 8, QCOW2_INCOMPATIBLE_CORRUPT);
	assert_refused(*state, "corrupt");
}

static void encryption_is_refused(void **state)
{
	put(*state, QCOW2_AT_CRYPT, 4, 2);
	assert_refused(*state, "encrypted");
	put(*state, QCOW2_AT_CRYPT, 4, 0);
	put(*state, QCOW2_HEADER_SIZE_V3, 4, QCOW2_EXTENSION_ENCRYPTION);
	assert_refused(*state, "encryption");
}

static void internal_snapshots_are_refused(void **state)
{
	put(*state, QCOW2_AT_SNAPSHOTS, 4, 1);
	assert_refused(*state, "snapshots");
}

static void absurd_sizes_are_refused(void **state)
{
	put(*state, QCOW2_AT_VIRTUAL_SIZE, 8, 0);
	assert_refused(*state, "disk of 0 bytes");
	put(*state, QCOW2_AT_VIRTUAL_SIZE, 8, (UINT64_C(16) << 40) + 1);
	assert_refused(*state, "16 TiB");
	put(*state, QCOW2_AT_VIRTUAL_SIZE, 8, UINT64_MAX);
	assert_refused(*state, "16 TiB");
}

static void absurd_clusters_are_refused(void **state)
{
	put(*state, QCOW2_AT_CLUSTER_BITS, 4, 8);
	assert_refused(*state, "clusters");
	put(*state, QCOW2_AT_CLUSTER_BITS, 4, 63);
	assert_refused(*state, "clusters");
	put(*state, QCOW2_AT_CLUSTER_BITS, 4, 16);
	put(*state, QCOW2_AT_REFCOUNT_ORDER, 4, 7);
	assert_refused(*state, "impossible width");
}

static void tables_outside_of_the_file_are_refused(void **state)
{
	struct file *file = *state;

	put(file, QCOW2_AT_L1_OFFSET, 8, UINT64_MAX & ~UINT64_C(0xffff));
	assert_refused(file, "cut off");
	put(file, QCOW2_AT_L1_OFFSET, 8, 3 << 16);
	put(file, QCOW2_AT_REFTABLE_OFFSET, 8, 1 << 30);
	assert_refused(file, "cut off");
	put(file, QCOW2_AT_REFTABLE_OFFSET, 8, 1 << 16);
	file->size = 3 << 16;
	assert_refused(file, "cut off");
}

static void tables_of_impossible_size_are_refused(void **state)
{
	put(*state, QCOW2_AT_L1_SIZE, 4, 0);
	assert_refused(*state, "first table");
	put(*state, QCOW2_AT_L1_SIZE, 4, UINT32_MAX);
	assert_refused(*state, "first table");
	put(*state, QCOW2_AT_L1_SIZE, 4, 1);
	put(*state, QCOW2_AT_L1_OFFSET, 8, 3 * 65536 + 8);
	assert_refused(*state, "first table");
	put(*state, QCOW2_AT_L1_OFFSET, 8, 3 << 16);
	put(*state, QCOW2_AT_REFTABLE_CLUSTERS, 4, UINT32_MAX);
	assert_refused(*state, "reference counts");
}

static void a_header_that_does_not_end_is_refused(void **state)
{
	put(*state, QCOW2_AT_HEADER_LENGTH, 4, UINT32_MAX);
	assert_refused(*state, "header");
	put(*state, QCOW2_AT_HEADER_LENGTH, 4, QCOW2_HEADER_SIZE_V3);
	put(*state, QCOW2_HEADER_SIZE_V3, 4, 0x6803f857);
	put(*state, QCOW2_HEADER_SIZE_V3 + 4, 4, UINT32_MAX);
	assert_refused(*state, "extension without an end");
}

static int check_tables(const struct file *file, struct error *err)
{
	int fd = memfd_create("image", MFD_CLOEXEC), r;
	struct qcow2_info info = {0};

	assert_int_equal(check(file, &info, err), 0);
	assert_int_equal(write(fd, file->data, file->size), file->size);
	r = qcow2_check_tables(fd, &info, file->size, err);
	close(fd);
	return r;
}

static void data_behind_the_end_is_refused(void **state)
{
	struct file *file = *state;
	struct error err = {0};
	size_t l1 = 3 << 16, l2 = 4 << 16;

	file->data = realloc(file->data, 6 << 16);
	memset(file->data + file->size, 0, (6 << 16) - file->size);
	file->size = 6 << 16;
	put(file, l1, 8, (UINT64_C(1) << 63) | l2);
	put(file, l2, 8, (UINT64_C(1) << 63) | 5 << 16);
	assert_int_equal(check_tables(file, &err), 0);
	put(file, l2 + 8, 8, (UINT64_C(1) << 63) | 6 << 16);
	assert_int_equal(check_tables(file, &err), -EINVAL);
	assert_non_null(strstr(err.text, "cut off"));
	/* Compressed clusters are not aligned. */
	put(file, l2 + 8, 8, QCOW2_COMPRESSED | ((5 << 16) + 77));
	assert_int_equal(check_tables(file, &err), 0);
	put(file, l2 + 8, 8, QCOW2_COMPRESSED | ((6 << 16) + 77));
	assert_int_equal(check_tables(file, &err), -EINVAL);
	/* A second table that is cut off or askew. */
	put(file, l1, 8, 6 << 16);
	assert_int_equal(check_tables(file, &err), -EINVAL);
	put(file, l1, 8, l2 + 512);
	assert_int_equal(check_tables(file, &err), -EINVAL);
	assert_says_what_to_do(err.text);
}

/* A small file could name one table millions of times, and each would be read. */
static void tables_named_again_and_again_are_refused(void **state)
{
	struct file *file = *state;
	struct error err = {0};
	size_t l1 = 3 << 16, l2 = 4 << 16;

	file->data = realloc(file->data, 5 << 16);
	memset(file->data + file->size, 0, (5 << 16) - file->size);
	file->size = 5 << 16;
	put(file, QCOW2_AT_VIRTUAL_SIZE, 8, UINT64_C(8) << 29);
	put(file, QCOW2_AT_L1_SIZE, 4, 8);
	for (size_t i = 0; i < 6; i++)
		put(file, l1 + 8 * i, 8, l2);
	assert_int_equal(check_tables(file, &err), 0);
	put(file, l1 + 48, 8, l2);
	assert_int_equal(check_tables(file, &err), -EINVAL);
	assert_non_null(strstr(err.text, "more than once"));
}

/* QEMU's own judgement of what is written here. */
static void qemu_img_finds_the_overlay_whole(void **state)
{
	static const uint64_t sizes[] = {1, 512, 600 * MIB, UINT64_C(3) << 40, UINT64_C(16) << 40};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char path[] = "/tmp/overlay-XXXXXX", command[128];
		int fd = mkstemp(path), status;
		uint8_t *data;
		size_t size;

		assert_int_equal(overlay_make(sizes[i], &data, &size), 0);
		assert_int_equal(write(fd, data, size), size);
		close(fd);
		free(data);
		snprintf(command, sizeof(command), "qemu-img check -q -f qcow2 %s", path);
		status = system(command); /* NOLINT(bugprone-command-processor,cert-env33-c) */
		unlink(path);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
			skip();
		assert_int_equal(status, 0);
	}
}

static void an_overlay_of_an_impossible_size_is_not_made(void **state)
{
	uint8_t *data;
	size_t size;

	(void)state;
	assert_int_equal(overlay_make(0, &data, &size), -EINVAL);
	assert_int_equal(overlay_make((UINT64_C(16) << 40) + 1, &data, &size), -EINVAL);
}

#define with_file(test) cmocka_unit_test_setup_teardown(test, make_file, free_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    with_file(a_whole_image_is_taken),
	    with_file(something_else_is_told_how_to_convert),
	    with_file(a_short_file_is_no_image),
	    with_file(a_future_version_is_refused),
	    with_file(a_backing_file_is_refused),
	    with_file(an_external_data_file_is_refused_by_bit_and_by_extension),
	    with_file(unknown_features_are_refused),
	    with_file(encryption_is_refused),
	    with_file(internal_snapshots_are_refused),
	    with_file(absurd_sizes_are_refused),
	    with_file(absurd_clusters_are_refused),
	    with_file(tables_outside_of_the_file_are_refused),
	    with_file(tables_of_impossible_size_are_refused),
	    with_file(a_header_that_does_not_end_is_refused),
	    with_file(data_behind_the_end_is_refused),
	    with_file(tables_named_again_and_again_are_refused),
	    cmocka_unit_test(qemu_img_finds_the_overlay_whole),
	    cmocka_unit_test(an_overlay_of_an_impossible_size_is_not_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
