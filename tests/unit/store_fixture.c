/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/fs.h"
#include "tests/unit/store_fixture.h"

int store_set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct error err = {0};

	assert_non_null(f);
	strcpy(f->directory, "/tmp/hotdesk-store-XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	assert_int_equal(fs_path(f->path, sizeof(f->path), "%s/store.db", f->directory), 0);
	assert_int_equal(store_open(f->path, &f->store, &err), 0);
	*state = f;
	return 0;
}

int store_tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	assert_int_equal(fs_remove_tree(f->directory), 0);
	free(f);
	return 0;
}
