/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes on the agent's port: lines are found however the bytes are split, and what is understood is within bounds.
 */
#include "guest-agent/account.h"
#include "guest-agent/codec.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_person(const struct person *person)
{
	assert(person->name[0] != '\0' && strlen(person->name) < CODEC_NAME_MAX);
	assert(person->uid > 0 && person->gid > 0 && person->n_groups <= CODEC_GROUPS_MAX);
	for (size_t i = 0; i < person->n_groups; i++)
		assert(person->groups[i][0] != '\0' && !strpbrk(person->groups[i], ", :\n"));
}

static void on_line(const char *line, size_t size, void *userdata)
{
	char name[ACCOUNT_NAME_MAX];
	struct message message;
	size_t *count = userdata;

	assert(size > 0 && size < CODEC_LINE_MAX && line[size] == '\0');
	(*count)++;
	if (message_parse(line, size, &message) < 0)
		return;
	assert(message.type < MESSAGE_TYPES && strlen(message.nonce) < CODEC_NONCE_MAX);
	if (message.type != MESSAGE_SIGN_IN)
		return;
	check_person(&message.person);
	account_name(message.person.name, name);
	assert(account_name_is_unix(name));
}

static size_t count_lines(const char *data, size_t size, size_t step)
{
	struct lines lines = {0};
	size_t count = 0;

	for (size_t at = 0; at < size; at += step)
		if (lines_feed(&lines, data + at, size - at < step ? size - at : step, on_line, &count) < 0)
			break;
	lines_clear(&lines);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	assert(count_lines((const char *)data, size, 1) == count_lines((const char *)data, size, 4096));
	return 0;
}
