/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/pool_keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUEST_GROUP_MAX 32
#define GUEST_GROUPS_MAX 32

const struct pool_key pool_keys[] = {
    {"image", POOL_KEY_IMAGE, offsetof(struct pool, image), 0, 0, NULL,
     "Golden image that new desktops are cloned from, in its published version."},
    {"kind", POOL_KEY_KIND, offsetof(struct pool, kind), 0, 0, "floating",
     "floating: a fresh clone for each login, thrown away at log-off. dedicated: one clone per user, kept."},
    {"memory", POOL_KEY_MEMORY, offsetof(struct pool, memory_mib), 64, 4194304, "2G",
     "Memory of a desktop, from its next start on; spares are made anew."},
    {"vcpus", POOL_KEY_NUMBER, offsetof(struct pool, vcpus), 1, 255, "2",
     "Virtual processors of a desktop, from its next start on; spares are made anew."},
    {"max", POOL_KEY_NUMBER, offsetof(struct pool, max), 1, 100000, "10", "Desktops at most, spares included."},
    {"min-spare", POOL_KEY_NUMBER, offsetof(struct pool, min_spare), 0, 1000, "0",
     "Desktops kept booted for the next users to log in."},
    {"keyboard", POOL_KEY_KEYBOARD, offsetof(struct pool, keyboard), 0, 0, "us",
     "XKB layout for viewers that send no key codes: LAYOUT or LAYOUT(VARIANT), such as de(nodeadkeys)."},
    {"guest-groups", POOL_KEY_GROUPS, offsetof(struct pool, guest_groups), 0, 0, "",
     "Groups of the guest, with commas, that whoever signs in is a member of, such as audio,sudo."},
    {"clipboard", POOL_KEY_CLIPBOARD, offsetof(struct pool, clipboard), 0, 0, "both",
     "Which way texts may be copied: in (into desktops), out (of them), both or none. At once, also where somebody "
     "is."},
    {"clipboard-primary", POOL_KEY_FLAG, offsetof(struct pool, clipboard_primary), 0, 0, "off",
     "Selecting by mouse counts as copying, and the middle button as pasting, between viewers and desktops too."},
    {"sound", POOL_KEY_FLAG, offsetof(struct pool, sound), 0, 0, "on",
     "Viewers may play what the desktop plays. At once, also where somebody is."},
    {NULL, POOL_KEY_NUMBER, 0, 0, 0, NULL, NULL},
};

static const struct pool_key *key_find(const char *name)
{
	for (const struct pool_key *key = pool_keys; key->name; key++)
		if (strcmp(key->name, name) == 0)
			return key;
	return NULL;
}

static int unknown_key(const char *name, struct error *err)
{
	char list[256] = "";

	for (const struct pool_key *key = pool_keys; key->name; key++) {
		size_t used = strlen(list);

		snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", key->name);
	}
	return error_set(err, -EINVAL, "a pool has no setting \"%.40s\"; there are: %s", name, list);
}

/* Digits alone and at most 15 of them, so that no unit makes it overflow. */
static int parse_digits(const char *text, int64_t *ret, const char **ret_end)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 15)
		return -EINVAL;
	*ret = strtoll(text, NULL, 10);
	*ret_end = text + digits;
	return 0;
}

static int parse_number(const struct pool_key *key, const char *text, int64_t *ret, struct error *err)
{
	const char *end = NULL;
	int64_t number = 0;

	if (parse_digits(text, &number, &end) < 0 || *end || number < key->min || number > key->max)
		return error_set(err, -EINVAL, "%s=%.40s: give a number from %" PRId64 " to %" PRId64, key->name, text,
				 key->min, key->max);
	*ret = number;
	return 0;
}

static int parse_memory(const struct pool_key *key, const char *text, int64_t *ret, struct error *err)
{
	const char *end = NULL;
	int64_t mib = 0;

	if (parse_digits(text, &mib, &end) < 0 || (strcmp(end, "M") != 0 && strcmp(end, "G") != 0))
		return error_set(err, -EINVAL, "%s=%.40s: give a size with its unit, such as 512M or 2G", key->name,
				 text);
	if (*end == 'G')
		mib *= 1024;
	if (mib < key->min || mib > key->max)
		return error_set(err, -EINVAL, "%s=%.40s: give a size from %" PRId64 "M to %" PRId64 "G", key->name,
				 text, key->min, key->max / 1024);
	*ret = mib;
	return 0;
}

static bool keyboard_is_valid(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t layout = strspn(text, allowed), variant;

	if (layout == 0 || strlen(text) >= STORE_KEYBOARD_SIZE)
		return false;
	if (text[layout] == '\0')
		return true;
	if (text[layout] != '(')
		return false;
	variant = strspn(text + layout + 1, allowed);
	return variant > 0 && strcmp(text + layout + 1 + variant, ")") == 0;
}

static int set_image(struct pool *pool, const char *value, struct error *err)
{
	if (!name_is_valid(value))
		return error_set(err, -EINVAL, "image=%.40s: not an image's name; `hotdesk image list` shows them",
				 value);
	snprintf(pool->image, sizeof(pool->image), "%s", value);
	return 0;
}

static int set_kind(struct pool *pool, const char *value, struct error *err)
{
	if (pool_kind_from_text(value, &pool->kind) < 0)
		return error_set(err, -EINVAL, "kind=%.40s: give floating or dedicated", value);
	return 0;
}

static int set_keyboard(struct pool *pool, const char *value, struct error *err)
{
	if (!keyboard_is_valid(value))
		return error_set(err, -EINVAL, "keyboard=%.40s: give an XKB layout such as us, de or de(nodeadkeys)",
				 value);
	snprintf(pool->keyboard, sizeof(pool->keyboard), "%s", value);
	return 0;
}

/* Names that useradd takes, as many and as long as the guest's agent does (guest-agent/README.md). */
static bool groups_are_valid(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	size_t n = 0;

	if (strlen(text) >= STORE_GROUPS_SIZE)
		return false;
	while (*text) {
		size_t length = strspn(text, allowed);

		if (length == 0 || length > GUEST_GROUP_MAX || text[0] == '-' || ++n > GUEST_GROUPS_MAX)
			return false;
		text += length;
		if (*text == ',' && text[1] != '\0')
			text++;
		else if (*text)
			return false;
	}
	return true;
}

static int set_groups(struct pool *pool, const char *value, struct error *err)
{
	if (!groups_are_valid(value))
		return error_set(err, -EINVAL,
				 "guest-groups=%.40s: give up to %d names of groups with commas, such as audio,sudo",
				 value, GUEST_GROUPS_MAX);
	snprintf(pool->guest_groups, sizeof(pool->guest_groups), "%s", value);
	return 0;
}

static int set_clipboard(struct pool *pool, const char *value, struct error *err)
{
	if (pool_clipboard_from_text(value, &pool->clipboard) < 0)
		return error_set(err, -EINVAL, "clipboard=%.40s: give none, in, out or both", value);
	return 0;
}

static int set_flag(struct pool *pool, const struct pool_key *key, const char *value, struct error *err)
{
	bool on = strcmp(value, "on") == 0;

	if (!on && strcmp(value, "off") != 0)
		return error_set(err, -EINVAL, "%s=%.40s: give on or off", key->name, value);
	*(bool *)((char *)pool + key->offset) = on;
	return 0;
}

int pool_keys_set(struct pool *pool, const char *name, const char *value, struct error *err)
{
	const struct pool_key *key = key_find(name);
	int64_t number = 0;
	int r = 0;

	if (!key)
		return unknown_key(name, err);
	switch (key->type) {
	case POOL_KEY_IMAGE:
		return set_image(pool, value, err);
	case POOL_KEY_KIND:
		return set_kind(pool, value, err);
	case POOL_KEY_KEYBOARD:
		return set_keyboard(pool, value, err);
	case POOL_KEY_GROUPS:
		return set_groups(pool, value, err);
	case POOL_KEY_CLIPBOARD:
		return set_clipboard(pool, value, err);
	case POOL_KEY_FLAG:
		return set_flag(pool, key, value, err);
	case POOL_KEY_MEMORY:
		r = parse_memory(key, value, &number, err);
		break;
	case POOL_KEY_NUMBER:
		r = parse_number(key, value, &number, err);
		break;
	}
	if (r == 0)
		*(uint32_t *)((char *)pool + key->offset) = (uint32_t)number;
	return r;
}

void pool_keys_default(struct pool *pool, const char *name)
{
	memset(pool, 0, sizeof(*pool));
	snprintf(pool->name, sizeof(pool->name), "%s", name);
	for (const struct pool_key *key = pool_keys; key->name; key++)
		if (key->value)
			(void)pool_keys_set(pool, key->name, key->value, NULL);
}

int pool_keys_check(const struct pool *pool, struct error *err)
{
	if (!pool->image[0])
		return error_set(err, -EINVAL,
				 "image= is missing: say which golden image the desktops are cloned from; "
				 "`hotdesk image list` shows them");
	if (pool->min_spare > pool->max)
		return error_set(err, -EINVAL, "min-spare=%u is above max=%u: lower one or raise the other",
				 pool->min_spare, pool->max);
	return 0;
}

static void memory_text(uint32_t mib, char *buffer, size_t size)
{
	if (mib >= 1024 && mib % 1024 == 0)
		snprintf(buffer, size, "%uG", mib / 1024);
	else
		snprintf(buffer, size, "%uM", mib);
}

void pool_keys_text(const struct pool *pool, const struct pool_key *key, char *buffer, size_t size)
{
	const void *field = (const char *)pool + key->offset;

	switch (key->type) {
	case POOL_KEY_IMAGE:
	case POOL_KEY_KEYBOARD:
	case POOL_KEY_GROUPS:
		snprintf(buffer, size, "%s", (const char *)field);
		break;
	case POOL_KEY_KIND:
		snprintf(buffer, size, "%s", pool_kind_text(pool->kind));
		break;
	case POOL_KEY_CLIPBOARD:
		snprintf(buffer, size, "%s", pool_clipboard_text(pool->clipboard));
		break;
	case POOL_KEY_FLAG:
		snprintf(buffer, size, "%s", *(const bool *)field ? "on" : "off");
		break;
	case POOL_KEY_MEMORY:
		memory_text(*(const uint32_t *)field, buffer, size);
		break;
	case POOL_KEY_NUMBER:
		snprintf(buffer, size, "%u", *(const uint32_t *)field);
		break;
	}
}
