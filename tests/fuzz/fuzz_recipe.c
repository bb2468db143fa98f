/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any text is either refused with a reason or makes a command line whose words are one line each and no paths out of
 * the guest. */
#include "broker/cli/recipe.h"
#include "common/cleanup.h"
#include "tests/fuzz/text.h"

#define ARGUMENTS_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_arguments(const struct recipe *recipe)
{
	char **argv = calloc(ARGUMENTS_MAX, sizeof(char *));

	if (!argv)
		return;
	if (recipe_arguments(recipe, "/directory", argv, ARGUMENTS_MAX) == 0)
		for (size_t i = 0; argv[i]; i++) {
			if (strchr(argv[i], '\n'))
				abort();
			if (strcmp(argv[i], "--file") == 0 && (argv[i + 2][0] != '/' || strstr(argv[i + 2], "/../")))
				abort();
			i += strcmp(argv[i], "--file") == 0 ? 3 : 1;
		}
	arguments_clear(argv);
	free(argv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(recipe_freep) struct recipe *recipe = NULL;
	_cleanup_free_ char *text = fuzz_text(data, size);
	struct error err = {0};
	int r = recipe_parse("fuzz.recipe", text, size, &recipe, &err);

	if (r < 0 && (err.code != r || err.text[0] == '\0' || recipe))
		abort();
	if (r == 0)
		check_arguments(recipe);
	return 0;
}
