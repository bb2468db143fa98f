/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/viewer/keymap.h"

#include "common/cleanup.h"

#include <errno.h>
#include <string.h>
#include <xkbcommon/xkbcommon-keysyms.h>
#include <xkbcommon/xkbcommon.h>

#define HELD_MAX 64
#define EVDEV_OFFSET 8 /* xkb's key codes are evdev's plus 8 */

struct held {
	xkb_keysym_t keysym; /* XKB_KEY_NoSymbol: pressed by its number */
	xkb_keycode_t code;
};

struct keymap {
	struct xkb_context *context;
	struct xkb_keymap *map;
	struct xkb_state *state; /* the guest's, as far as our own keys make it */
	struct held held[HELD_MAX];
	unsigned n_held;
	xkb_keycode_t shift, level3, num_lock;
	xkb_mod_mask_t shift_mask, level3_mask, num_mask, caps_mask;
};

/* What has no key of its own in many layouts and what stands in. */
static const struct {
	xkb_keysym_t keysym, instead;
} stand_ins[] = {
    {XKB_KEY_ISO_Level3_Shift, XKB_KEY_Alt_R}, {XKB_KEY_Mode_switch, XKB_KEY_Alt_R},
    {XKB_KEY_Alt_R, XKB_KEY_ISO_Level3_Shift}, {XKB_KEY_Meta_L, XKB_KEY_Alt_L},
    {XKB_KEY_Meta_R, XKB_KEY_Alt_R},           {XKB_KEY_Hyper_L, XKB_KEY_Super_L},
    {XKB_KEY_Hyper_R, XKB_KEY_Super_R},        {XKB_KEY_ISO_Left_Tab, XKB_KEY_Tab},
    {XKB_KEY_Sys_Req, XKB_KEY_Print},          {XKB_KEY_Break, XKB_KEY_Pause},
};

/* Characters that many layouts make with a dead key and another. */
static const struct {
	xkb_keysym_t keysym, dead, base;
} composed[] = {
    {XKB_KEY_asciicircum, XKB_KEY_dead_circumflex, XKB_KEY_space},
    {XKB_KEY_grave, XKB_KEY_dead_grave, XKB_KEY_space},
    {XKB_KEY_acute, XKB_KEY_dead_acute, XKB_KEY_space},
    {XKB_KEY_asciitilde, XKB_KEY_dead_tilde, XKB_KEY_space},
    {XKB_KEY_diaeresis, XKB_KEY_dead_diaeresis, XKB_KEY_space},
    {XKB_KEY_agrave, XKB_KEY_dead_grave, XKB_KEY_a},
    {XKB_KEY_aacute, XKB_KEY_dead_acute, XKB_KEY_a},
    {XKB_KEY_acircumflex, XKB_KEY_dead_circumflex, XKB_KEY_a},
    {XKB_KEY_atilde, XKB_KEY_dead_tilde, XKB_KEY_a},
    {XKB_KEY_egrave, XKB_KEY_dead_grave, XKB_KEY_e},
    {XKB_KEY_eacute, XKB_KEY_dead_acute, XKB_KEY_e},
    {XKB_KEY_ecircumflex, XKB_KEY_dead_circumflex, XKB_KEY_e},
    {XKB_KEY_ediaeresis, XKB_KEY_dead_diaeresis, XKB_KEY_e},
    {XKB_KEY_igrave, XKB_KEY_dead_grave, XKB_KEY_i},
    {XKB_KEY_iacute, XKB_KEY_dead_acute, XKB_KEY_i},
    {XKB_KEY_icircumflex, XKB_KEY_dead_circumflex, XKB_KEY_i},
    {XKB_KEY_idiaeresis, XKB_KEY_dead_diaeresis, XKB_KEY_i},
    {XKB_KEY_ograve, XKB_KEY_dead_grave, XKB_KEY_o},
    {XKB_KEY_oacute, XKB_KEY_dead_acute, XKB_KEY_o},
    {XKB_KEY_ocircumflex, XKB_KEY_dead_circumflex, XKB_KEY_o},
    {XKB_KEY_otilde, XKB_KEY_dead_tilde, XKB_KEY_o},
    {XKB_KEY_ugrave, XKB_KEY_dead_grave, XKB_KEY_u},
    {XKB_KEY_uacute, XKB_KEY_dead_acute, XKB_KEY_u},
    {XKB_KEY_ucircumflex, XKB_KEY_dead_circumflex, XKB_KEY_u},
    {XKB_KEY_ntilde, XKB_KEY_dead_tilde, XKB_KEY_n},
};

static uint32_t qnum_of(xkb_keycode_t code)
{
	return code > EVDEV_OFFSET ? keymap_qnum(code - EVDEV_OFFSET) : 0;
}

static bool is_keypad(xkb_keysym_t keysym)
{
	return keysym >= XKB_KEY_KP_Space && keysym <= XKB_KEY_KP_Equal;
}

static bool is_modifier(xkb_keysym_t keysym)
{
	return (keysym >= XKB_KEY_Shift_L && keysym <= XKB_KEY_Hyper_R) || keysym == XKB_KEY_ISO_Level3_Shift ||
	       keysym == XKB_KEY_Mode_switch || keysym == XKB_KEY_Num_Lock;
}

/* Viewers name one character by different keysyms (EuroSign, U20AC). */
static bool same_character(xkb_keysym_t a, xkb_keysym_t b)
{
	return !is_keypad(b) && xkb_keysym_to_utf32(a) >= 0x20 && xkb_keysym_to_utf32(a) == xkb_keysym_to_utf32(b);
}

/* The key that gives `keysym` without any modifier, for modifiers and the like. */
static xkb_keycode_t plain_key(struct keymap *keymap, xkb_keysym_t keysym)
{
	for (xkb_keycode_t code = xkb_keymap_min_keycode(keymap->map); code <= xkb_keymap_max_keycode(keymap->map);
	     code++) {
		const xkb_keysym_t *syms;

		if (qnum_of(code) && xkb_keymap_key_get_syms_by_level(keymap->map, code, 0, 0, &syms) == 1 &&
		    syms[0] == keysym)
			return code;
	}
	return 0;
}

/* The key that gives `keysym` (or, `alike`, the same character) while these modifiers are down and these locked. */
static xkb_keycode_t key_under(struct keymap *keymap, xkb_keysym_t keysym, bool alike, xkb_mod_mask_t down,
			       xkb_mod_mask_t locked)
{
	struct xkb_state *state = xkb_state_new(keymap->map);
	xkb_keycode_t code = xkb_keymap_min_keycode(keymap->map), last = xkb_keymap_max_keycode(keymap->map);

	if (!state)
		return 0;
	xkb_state_update_mask(state, down, 0, locked, 0, 0, 0);
	for (; code <= last; code++) {
		xkb_keysym_t got = qnum_of(code) ? xkb_state_key_get_one_sym(state, code) : XKB_KEY_NoSymbol;

		if (got == keysym || (alike && got != XKB_KEY_NoSymbol && same_character(keysym, got)))
			break;
	}
	xkb_state_unref(state);
	return code <= last ? code : 0;
}

static xkb_mod_mask_t mask_of(struct keymap *keymap, xkb_keycode_t code, enum xkb_state_component component)
{
	struct xkb_state *state = code ? xkb_state_new(keymap->map) : NULL;
	xkb_mod_mask_t mask = 0;

	if (!state)
		return 0;
	xkb_state_update_key(state, code, XKB_KEY_DOWN);
	mask = xkb_state_serialize_mods(state, component);
	xkb_state_unref(state);
	return mask;
}

static int keymap_compile(struct keymap *keymap, const char *layout, struct error *err)
{
	char name[64], variant[64] = "";
	struct xkb_rule_names names = {"evdev", "pc105", name, variant, ""};

	if (sscanf(layout, "%63[A-Za-z0-9_-](%63[A-Za-z0-9_-])", name, variant) < 1)
		return error_set(err, -EINVAL,
				 "\"%s\" is not a keyboard layout: write it like \"de\" or \"de(nodeadkeys)\"", layout);
	keymap->context = xkb_context_new(XKB_CONTEXT_NO_ENVIRONMENT_NAMES);
	if (!keymap->context)
		return error_set_errno(err, -ENOMEM, "keyboard layout");
	xkb_context_set_log_level(keymap->context, XKB_LOG_LEVEL_CRITICAL);
	keymap->map = xkb_keymap_new_from_names(keymap->context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
	if (!keymap->map)
		return error_set(
		    err, -EINVAL,
		    "there is no keyboard layout \"%s\": see /usr/share/X11/xkb/rules/base.lst (package xkb-data)",
		    layout);
	keymap->state = xkb_state_new(keymap->map);
	return keymap->state ? 0 : error_set_errno(err, -ENOMEM, "keyboard layout");
}

int keymap_new(const char *layout, struct keymap **ret, struct error *err)
{
	struct keymap *keymap = calloc(1, sizeof(*keymap));
	int r;

	if (!keymap)
		return error_set_errno(err, -ENOMEM, "keyboard layout");
	r = keymap_compile(keymap, layout, err);
	if (r < 0) {
		keymap_free(keymap);
		return r;
	}
	keymap->shift = plain_key(keymap, XKB_KEY_Shift_L);
	keymap->level3 = plain_key(keymap, XKB_KEY_ISO_Level3_Shift);
	keymap->num_lock = plain_key(keymap, XKB_KEY_Num_Lock);
	keymap->shift_mask = mask_of(keymap, keymap->shift, XKB_STATE_MODS_DEPRESSED);
	keymap->level3_mask = mask_of(keymap, keymap->level3, XKB_STATE_MODS_DEPRESSED);
	keymap->num_mask = mask_of(keymap, keymap->num_lock, XKB_STATE_MODS_LOCKED);
	keymap->caps_mask = mask_of(keymap, plain_key(keymap, XKB_KEY_Caps_Lock), XKB_STATE_MODS_LOCKED);
	*ret = keymap;
	return 0;
}

void keymap_free(struct keymap *keymap)
{
	if (!keymap)
		return;
	xkb_state_unref(keymap->state);
	xkb_keymap_unref(keymap->map);
	xkb_context_unref(keymap->context);
	free(keymap);
}

void keymap_reset(struct keymap *keymap)
{
	keymap->n_held = 0;
	xkb_state_update_mask(keymap->state, 0, 0, 0, 0, 0, 0);
}

struct stroke_to {
	keymap_stroke_fn fn;
	void *userdata;
};

static void stroke(const struct stroke_to *to, xkb_keycode_t code, bool down)
{
	to->fn(qnum_of(code), down, to->userdata);
}

static bool code_held(const struct keymap *keymap, xkb_keycode_t code)
{
	for (unsigned i = 0; i < keymap->n_held; i++)
		if (keymap->held[i].code == code)
			return true;
	return false;
}

static void hold(struct keymap *keymap, xkb_keysym_t keysym, xkb_keycode_t code)
{
	for (unsigned i = 0; i < keymap->n_held; i++)
		if (keymap->held[i].code == code && keymap->held[i].keysym == keysym)
			return;
	if (!code_held(keymap, code))
		xkb_state_update_key(keymap->state, code, XKB_KEY_DOWN);
	if (keymap->n_held < HELD_MAX)
		keymap->held[keymap->n_held++] = (struct held){keysym, code};
}

/* Presses or releases all held keys that make `mask`, or `code` where none is held: once before a key, once back after
 * it. */
static void toggle(struct keymap *keymap, const struct stroke_to *to, xkb_mod_mask_t mask, xkb_keycode_t code,
		   bool back)
{
	bool any = false;

	for (unsigned i = 0; i < keymap->n_held; i++) {
		xkb_keycode_t held = keymap->held[i].code;

		if (!(mask_of(keymap, held, XKB_STATE_MODS_DEPRESSED) & mask))
			continue;
		stroke(to, held, back);
		any = true;
	}
	if (!any)
		stroke(to, code, !back);
}

struct way {
	xkb_keycode_t code;
	bool shift, level3, num_lock; /* to be changed first */
};

static bool try_ways(struct keymap *keymap, xkb_keysym_t keysym, bool alike, struct way *way)
{
	xkb_mod_mask_t down = xkb_state_serialize_mods(keymap->state, XKB_STATE_MODS_DEPRESSED) &
			      (keymap->shift_mask | keymap->level3_mask);
	xkb_mod_mask_t locked =
	    xkb_state_serialize_mods(keymap->state, XKB_STATE_MODS_LOCKED) & (keymap->num_mask | keymap->caps_mask);

	for (unsigned i = 0; i < 5; i++) {
		/* 0: as it is; then Num Lock (keypad only), Shift, AltGr, both */
		struct way try = {0, i == 2 || i == 4, i == 3 || i == 4, i == 1};

		if ((try.num_lock && (!is_keypad(keysym) || !keymap->num_lock)) || (try.level3 && !keymap->level3_mask))
			continue;
		try.code =
		    key_under(keymap, keysym, alike,
			      down ^ (try.shift ? keymap->shift_mask : 0) ^ (try.level3 ? keymap->level3_mask : 0),
			      locked ^ (try.num_lock ? keymap->num_mask : 0));
		if (try.code) {
			*way = try;
			return true;
		}
	}
	return false;
}

/* How to type `keysym` from the present state, with as little change of modifiers as there is. */
static bool find_way(struct keymap *keymap, xkb_keysym_t keysym, struct way *way)
{
	return try_ways(keymap, keysym, false, way) || try_ways(keymap, keysym, true, way);
}

static void tap_num_lock(struct keymap *keymap, const struct stroke_to *to)
{
	stroke(to, keymap->num_lock, true);
	stroke(to, keymap->num_lock, false);
	xkb_state_update_key(keymap->state, keymap->num_lock, XKB_KEY_DOWN);
	xkb_state_update_key(keymap->state, keymap->num_lock, XKB_KEY_UP);
}

static void press_way(struct keymap *keymap, const struct stroke_to *to, xkb_keysym_t keysym, const struct way *way)
{
	if (way->num_lock)
		tap_num_lock(keymap, to);
	if (way->shift)
		toggle(keymap, to, keymap->shift_mask, keymap->shift, false);
	if (way->level3)
		toggle(keymap, to, keymap->level3_mask, keymap->level3, false);
	stroke(to, way->code, true);
	if (way->level3)
		toggle(keymap, to, keymap->level3_mask, keymap->level3, true);
	if (way->shift)
		toggle(keymap, to, keymap->shift_mask, keymap->shift, true);
	hold(keymap, keysym, way->code);
}

static bool press_plain(struct keymap *keymap, const struct stroke_to *to, xkb_keysym_t keysym)
{
	xkb_keycode_t code = plain_key(keymap, keysym);

	if (!code)
		return false;
	stroke(to, code, true);
	hold(keymap, keysym, code);
	return true;
}

static bool key_has(struct keymap *keymap, xkb_keycode_t code, xkb_keysym_t keysym)
{
	for (xkb_level_index_t level = 0; level < xkb_keymap_num_levels_for_key(keymap->map, code, 0); level++) {
		const xkb_keysym_t *syms;

		if (xkb_keymap_key_get_syms_by_level(keymap->map, code, 0, level, &syms) == 1 && syms[0] == keysym)
			return true;
	}
	return false;
}

/* The held key that was pressed for `keysym`, else one that could have been: a Shift in between changes the name. */
static int find_held(struct keymap *keymap, xkb_keysym_t keysym)
{
	for (unsigned i = 0; i < keymap->n_held; i++)
		if (keymap->held[i].keysym == keysym)
			return (int)i;
	for (unsigned i = 0; i < keymap->n_held; i++)
		if (keymap->held[i].keysym != XKB_KEY_NoSymbol && key_has(keymap, keymap->held[i].code, keysym))
			return (int)i;
	return -1;
}

static void let_go(struct keymap *keymap, unsigned index)
{
	xkb_keycode_t code = keymap->held[index].code;

	keymap->held[index] = keymap->held[--keymap->n_held];
	if (!code_held(keymap, code))
		xkb_state_update_key(keymap->state, code, XKB_KEY_UP);
}

static bool release(struct keymap *keymap, const struct stroke_to *to, xkb_keysym_t keysym)
{
	int index = find_held(keymap, keysym);
	xkb_keycode_t code;

	if (index < 0)
		return false;
	code = keymap->held[index].code;
	let_go(keymap, (unsigned)index);
	if (!code_held(keymap, code))
		stroke(to, code, false);
	return true;
}

static bool press_composed(struct keymap *keymap, const struct stroke_to *to, xkb_keysym_t keysym)
{
	for (size_t i = 0; i < sizeof(composed) / sizeof(composed[0]); i++) {
		struct way dead, base;

		if (composed[i].keysym != keysym || !find_way(keymap, composed[i].dead, &dead))
			continue;
		press_way(keymap, to, composed[i].dead, &dead);
		release(keymap, to, composed[i].dead);
		if (!find_way(keymap, composed[i].base, &base))
			return false;
		press_way(keymap, to, composed[i].base, &base);
		release(keymap, to, composed[i].base);
		return true;
	}
	return false;
}

static bool press_stand_in(struct keymap *keymap, const struct stroke_to *to, xkb_keysym_t keysym)
{
	for (size_t i = 0; i < sizeof(stand_ins) / sizeof(stand_ins[0]); i++) {
		xkb_keycode_t code = stand_ins[i].keysym == keysym ? plain_key(keymap, stand_ins[i].instead) : 0;

		if (!code)
			continue;
		stroke(to, code, true);
		hold(keymap, keysym, code);
		return true;
	}
	return false;
}

static bool press(struct keymap *keymap, const struct stroke_to *to, xkb_keysym_t keysym)
{
	struct way way;

	if (is_modifier(keysym)) {
		if (press_plain(keymap, to, keysym))
			return true;
	} else if (find_way(keymap, keysym, &way)) {
		press_way(keymap, to, keysym, &way);
		return true;
	}
	return press_composed(keymap, to, keysym) || press_stand_in(keymap, to, keysym);
}

bool keymap_key(struct keymap *keymap, uint32_t keysym, bool down, keymap_stroke_fn fn, void *userdata)
{
	struct stroke_to to = {fn, userdata};

	if (keysym == XKB_KEY_NoSymbol)
		return false;
	return down ? press(keymap, &to, keysym) : release(keymap, &to, keysym);
}

void keymap_follow(struct keymap *keymap, uint32_t qnum, bool down)
{
	xkb_keycode_t code = xkb_keymap_min_keycode(keymap->map), last = xkb_keymap_max_keycode(keymap->map);

	while (code <= last && qnum_of(code) != qnum)
		code++;
	if (code > last)
		return;
	if (down) {
		hold(keymap, XKB_KEY_NoSymbol, code);
		return;
	}
	for (unsigned i = keymap->n_held; i-- > 0;)
		if (keymap->held[i].code == code)
			let_go(keymap, i);
}
