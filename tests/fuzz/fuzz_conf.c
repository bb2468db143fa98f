/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any text is either refused with a reason or read; what was read survives being written and read again. */
#include "common/cleanup.h"
#include "common/conf.h"
#include "tests/fuzz/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_dump(const struct conf *conf)
{
	_cleanup_free_ char *text = conf_dump(conf);
	_cleanup_(conf_freep) struct conf *copy = NULL;

	/* A value may hold what only starts a comment behind a space once it stands behind one: then it is not read
	 * again. */
	if (!text || conf_parse("dump", text, strlen(text), &copy, NULL) < 0)
		return;
	for (int id = 0; id < CONF_COUNT; id++)
		if ((conf_table[id].type == CONF_NUMBER || conf_table[id].type == CONF_SIZE) &&
		    conf_number(conf, id) != conf_number(copy, id))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(conf_freep) struct conf *conf = NULL;
	_cleanup_free_ char *text = fuzz_text(data, size);
	struct error err = {0};
	int r = conf_parse("fuzz.conf", text, size, &conf, &err);

	if (r < 0 && (err.code != r || err.text[0] == '\0' || conf))
		abort();
	if (r == 0)
		check_dump(conf);
	return 0;
}
