/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/pool_keyboard.h"

#include "broker/store_rows.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xkbcommon/xkbcommon.h>

/* "de(nodeadkeys)" -> "de", "nodeadkeys". */
static void split(const char *keyboard, char *layout, char *variant, size_t size)
{
	size_t length = strcspn(keyboard, "(");
	const char *rest = keyboard[length] ? keyboard + length + 1 : "";

	snprintf(layout, size, "%.*s", (int)length, keyboard);
	snprintf(variant, size, "%.*s", (int)strcspn(rest, ")"), rest);
}

int pool_keyboard_check(const char *keyboard, struct error *err)
{
	char layout[STORE_KEYBOARD_SIZE], variant[STORE_KEYBOARD_SIZE];
	struct xkb_rule_names names = {.layout = layout, .variant = variant};
	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_ENVIRONMENT_NAMES);
	struct xkb_keymap *keymap;

	if (!context)
		return error_set(err, -ENOENT,
				 "keyboard=%s cannot be checked: XKB's data is not there (package xkb-data)", keyboard);
	split(keyboard, layout, variant, sizeof(layout));
	/* It would tell stderr in many lines what the one error below says. */
	xkb_context_set_log_level(context, XKB_LOG_LEVEL_CRITICAL);
	keymap = xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
	xkb_context_unref(context);
	if (!keymap)
		return error_set(err, -EINVAL,
				 "keyboard=%s: XKB has no such layout; /usr/share/X11/xkb/rules/base.lst lists them",
				 keyboard);
	xkb_keymap_unref(keymap);
	return 0;
}
