/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/store_rows.h"

#include "common/text.h"

#include <errno.h>
#include <string.h>

static const char *const pool_kinds[] = {"floating", "dedicated"};
static const char *const pool_clipboards[] = {"none", "in", "out", "both"};
static const char *const entitlement_kinds[] = {"user", "group"};
static const char *const wanted_states[] = {"running", "stopped", "absent"};
static const char *const session_states[] = {"active", "disconnected", "ended"};

const char *pool_kind_text(enum pool_kind kind)
{
	return pool_kinds[kind];
}

static int find_word(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(text, words[i]) == 0)
			return (int)i;
	return -EINVAL;
}

int pool_kind_from_text(const char *text, enum pool_kind *ret)
{
	int r = find_word(text, pool_kinds, sizeof(pool_kinds) / sizeof(pool_kinds[0]));

	if (r < 0)
		return r;
	*ret = (enum pool_kind)r;
	return 0;
}

const char *pool_clipboard_text(enum pool_clipboard clipboard)
{
	return pool_clipboards[clipboard];
}

int pool_clipboard_from_text(const char *text, enum pool_clipboard *ret)
{
	int r = find_word(text, pool_clipboards, sizeof(pool_clipboards) / sizeof(pool_clipboards[0]));

	if (r < 0)
		return r;
	*ret = (enum pool_clipboard)r;
	return 0;
}

const char *entitlement_kind_text(enum entitlement_kind kind)
{
	return entitlement_kinds[kind];
}

const char *desktop_wanted_text(enum desktop_wanted wanted)
{
	return wanted_states[wanted];
}

const char *session_state_text(enum session_state state)
{
	return session_states[state];
}

bool name_is_valid(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t length = strlen(name);

	return length > 0 && length < STORE_NAME_SIZE && name[0] != '-' && strspn(name, allowed) == length;
}

bool desktop_id_is_valid(const char *id)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t length = strlen(id);

	return length > 0 && length < HOST_DESKTOP_ID_MAX && strspn(id, allowed) == length;
}

bool user_is_valid(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length < STORE_USER_SIZE && text_is_printable(name);
}
