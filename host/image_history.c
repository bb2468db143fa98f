/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/image_history.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t image_history_published(const struct image_history *history)
{
	return history->n > 0 ? history->versions[history->n - 1] : 0;
}

void image_history_forget(struct image_history *history, uint32_t version)
{
	size_t n = 0;

	for (size_t i = 0; i < history->n; i++)
		if (history->versions[i] != version)
			history->versions[n++] = history->versions[i];
	history->n = n;
}

void image_history_publish(struct image_history *history, uint32_t version)
{
	image_history_forget(history, version);
	if (history->n == IMAGE_HISTORY_MAX)
		image_history_forget(history, history->versions[0]);
	history->versions[history->n++] = version;
}

void image_history_format(const struct image_history *history, char buffer[IMAGE_HISTORY_TEXT_SIZE])
{
	size_t used = 0;

	buffer[0] = '\0';
	for (size_t i = 0; i < history->n; i++)
		used += (size_t)snprintf(buffer + used, IMAGE_HISTORY_TEXT_SIZE - used, "%u\n", history->versions[i]);
}

/* "12\n", without a sign, a blank or a leading zero. */
static int take_line(const char **text, uint32_t *ret)
{
	size_t digits = strspn(*text, "0123456789");
	unsigned long long number = strtoull(*text, NULL, 10);

	if (digits == 0 || digits > 10 || (*text)[0] == '0' || (*text)[digits] != '\n' || number > UINT32_MAX)
		return -EBADMSG;
	*text += digits + 1;
	*ret = (uint32_t)number;
	return 0;
}

int image_history_parse(const char *text, struct image_history *ret)
{
	struct image_history history = {0};

	while (*text) {
		uint32_t version;

		if (history.n == IMAGE_HISTORY_MAX || take_line(&text, &version) < 0)
			return -EBADMSG;
		for (size_t i = 0; i < history.n; i++)
			if (history.versions[i] == version)
				return -EBADMSG;
		history.versions[history.n++] = version;
	}
	*ret = history;
	return 0;
}
