/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A command's name, a newline, and its JSON arguments: what a peer of the admin socket may send. What is taken must be
 * whole. */
#include "broker/admin_table.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
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

static void check_call(const char *name, const char *json)
{
	const struct admin_command *command = admin_find_name(name);
	struct json_object *arguments = json_tokener_parse(json);
	struct error err = {0};

	if (command && arguments && admin_check(command, arguments, FUZZ_FILES, &err) == 0)
		assert_whole(command, arguments);
	json_object_put(arguments);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	char *json = text ? strchr(text, '\n') : NULL;

	if (json) {
		*json++ = '\0';
		check_call(text, json);
	}
	free(text);
	return 0;
}
