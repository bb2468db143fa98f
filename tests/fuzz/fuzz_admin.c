/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A command's name, a newline, and its JSON arguments: what a peer of the admin socket may send. What is taken must be
 * whole. */
#include "broker/admin_table.h"
#include "common/cleanup.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#define FUZZ_FILES 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_whole(const struct admin_command *command, struct json_object *arguments)
{
	for (const struct admin_argument *argument = command->arguments; argument->kind != ADMIN_END; argument++) {
		const char *text = admin_string(arguments, argument->key);

		assert(argument->optional || text);
		assert(!text || argument->kind != ADMIN_FILE || strtoul(text, NULL, 10) < FUZZ_FILES);
		assert(!text || argument->kind != ADMIN_NAME || (!strchr(text, '/') && strlen(text) <= 32));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = strndup((const char *)data, size);
	struct json_object *arguments;
	const struct admin_command *command;
	struct error err = {0};
	char *json;

	if (!text || !(json = strchr(text, '\n')))
		return 0;
	*json++ = '\0';
	command = admin_find_name(text);
	arguments = json_tokener_parse(json);
	if (command && arguments && admin_check(command, arguments, FUZZ_FILES, &err) == 0)
		assert_whole(command, arguments);
	json_object_put(arguments);
	return 0;
}
