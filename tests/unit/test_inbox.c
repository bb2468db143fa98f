/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/inbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void push(struct inbox *inbox, enum inbox_text kind, const char *text)
{
	assert_int_equal(inbox_push_text(inbox, kind, strdup(text), strlen(text) + 1), 0);
}

static void expect(struct inbox *inbox, const char *text)
{
	struct inbox_item *item = inbox_pop(inbox);

	assert_non_null(item);
	assert_string_equal(item->text, text);
	inbox_item_free(item);
}

static void of_texts_to_be_sent_the_last_one_alone_waits(void **state)
{
	struct inbox inbox;

	(void)state;
	inbox_init(&inbox);
	for (int i = 0; i < 3; i++) {
		push(&inbox, INBOX_LATIN1, "text");
		push(&inbox, INBOX_PLAIN, "offer");
		push(&inbox, INBOX_PROVIDE, "newer text");
	}
	push(&inbox, INBOX_PLAIN, "last offer");
	for (int i = 0; i < 3; i++)
		expect(&inbox, "offer");
	expect(&inbox, "newer text");
	expect(&inbox, "last offer");
	assert_null(inbox_pop(&inbox));
	push(&inbox, INBOX_PROVIDE, "text");
	push(&inbox, INBOX_PROVIDE, "newer text");
	expect(&inbox, "newer text");
	assert_null(inbox_pop(&inbox));
	inbox_done(&inbox);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(of_texts_to_be_sent_the_last_one_alone_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
