/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "display/screen/clipboard.h"

#include "common/log.h"
#include "display/screen/agent_port.h"
#include "display/screen/screen_api.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define ANSWER_USEC UINT64_C(8000000) /* how long a guest may take to hand its text over */
#define NONE UINT32_MAX
#define PRIMARY VD_AGENT_CLIPBOARD_SELECTION_PRIMARY

struct clipboard {
	sd_event *event;
	sd_event_source *patience;
	const struct clipboard_ops *ops;
	void *userdata;
	struct agent_port *port;
	uint32_t allowed, max_bytes;
	struct display1_clipboard *active; /* had input last: the viewers' side */
	struct display1_clipboard *newest; /* has the newest text, unless the guest has */
	struct display1_clipboard *asker;  /* waits for the guest's text */
	bool guest_has[VDAGENT_SELECTIONS], guest_wants[VDAGENT_SELECTIONS];
	uint32_t offered;               /* the guest's selection that viewers may have, or NONE */
	uint32_t asked;                 /* the one that the guest was asked for, or NONE */
	bool given[VDAGENT_SELECTIONS]; /* the guest was told that the active one has a text */
};

static const char OFF_IN[] = "Clipboard off by policy: what you copy on your side cannot be pasted in the desktop.";
static const char OFF_OUT[] = "Clipboard off by policy: what you copy in the desktop cannot be pasted on your side.";
static const char TOO_LONG[] = "The text is longer than the clipboard may take, and was not pasted.";

static void notice(struct clipboard *clipboard, const char *sentence)
{
	if (clipboard->active)
		display1_clipboard_notice(clipboard->active, sentence);
}

static void offer(struct clipboard *clipboard, uint32_t selection)
{
	clipboard->offered = selection;
	if (clipboard->active)
		display1_clipboard_offer(clipboard->active, selection != NONE);
}

/* -- towards the guest ----------------------------------------------------------------------------------------------*/

static void answer_guest(struct clipboard *clipboard, const char *data, size_t size)
{
	for (uint32_t i = 0; i < VDAGENT_SELECTIONS; i++) {
		if (clipboard->guest_wants[i])
			agent_port_answer(clipboard->port, i, data, size);
		clipboard->guest_wants[i] = false;
	}
}

static void take_from_guest(struct clipboard *clipboard)
{
	for (uint32_t i = 0; i < VDAGENT_SELECTIONS; i++) {
		if (clipboard->given[i])
			agent_port_release(clipboard->port, i);
		clipboard->given[i] = false;
	}
	answer_guest(clipboard, NULL, 0);
}

/* The active viewer's text is the newest. */
static void give_to_guest(struct clipboard *clipboard)
{
	uint32_t n = clipboard->allowed & SCREEN_CLIPBOARD_PRIMARY ? VDAGENT_SELECTIONS : 1;

	if (!(clipboard->allowed & SCREEN_CLIPBOARD_IN))
		return;
	clipboard->offered = NONE;
	for (uint32_t i = 0; i < n; i++) {
		clipboard->guest_has[i] = false;
		clipboard->given[i] = true;
		agent_port_grab(clipboard->port, i);
	}
}

/* -- what the guest says --------------------------------------------------------------------------------------------*/

static void asked_done(struct clipboard *clipboard, const char *data, size_t size)
{
	struct display1_clipboard *asker = clipboard->asker;

	clipboard->asked = NONE;
	clipboard->asker = NULL;
	sd_event_source_set_enabled(clipboard->patience, SD_EVENT_OFF);
	if (!asker)
		return;
	display1_clipboard_answer(asker, data, size);
	if (data)
		clipboard->ops->moved(SCREEN_CLIPBOARD_OUT, size, clipboard->userdata);
}

static int on_patience(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	log_info("the guest does not hand its clipboard's text over");
	asked_done(userdata, NULL, 0);
	return 0;
}

static void guest_up(void *userdata)
{
	struct clipboard *clipboard = userdata;

	for (uint32_t i = 0; i < VDAGENT_SELECTIONS; i++)
		clipboard->guest_has[i] = clipboard->guest_wants[i] = false;
	if (clipboard->asked != NONE)
		asked_done(clipboard, NULL, 0);
	if (clipboard->offered != NONE)
		offer(clipboard, NONE);
	if (clipboard->given[0])
		give_to_guest(clipboard);
}

static bool may_offer(const struct clipboard *clipboard, uint32_t selection)
{
	return (clipboard->allowed & SCREEN_CLIPBOARD_OUT) &&
	       (selection != PRIMARY || (clipboard->allowed & SCREEN_CLIPBOARD_PRIMARY));
}

static void guest_released(uint32_t selection, void *userdata)
{
	struct clipboard *clipboard = userdata;

	clipboard->guest_has[selection] = false;
	if (clipboard->offered == selection)
		offer(clipboard, NONE);
}

static void guest_grabbed(uint32_t selection, bool text, void *userdata)
{
	struct clipboard *clipboard = userdata;

	if (!text) {
		guest_released(selection, userdata);
		return;
	}
	clipboard->guest_has[selection] = true;
	clipboard->given[selection] = false;
	if (selection == 0)
		clipboard->newest = NULL;
	if (may_offer(clipboard, selection))
		offer(clipboard, selection);
	else if (selection == 0)
		notice(clipboard, OFF_OUT);
}

static void guest_requested(uint32_t selection, void *userdata)
{
	struct clipboard *clipboard = userdata;

	clipboard->guest_wants[selection] = true;
	if (!clipboard->given[selection] || !clipboard->active || display1_clipboard_request(clipboard->active) < 0)
		answer_guest(clipboard, NULL, 0);
}

static void guest_text(uint32_t selection, const char *data, size_t size, void *userdata)
{
	struct clipboard *clipboard = userdata;

	if (selection != clipboard->asked)
		return;
	if (size > clipboard->max_bytes || !may_offer(clipboard, selection))
		data = NULL;
	if (size > clipboard->max_bytes)
		notice(clipboard, TOO_LONG);
	asked_done(clipboard, data, data ? size : 0);
}

static void guest_lost(void *userdata)
{
	struct clipboard *clipboard = userdata;

	agent_port_free(clipboard->port);
	clipboard->port = NULL;
	guest_up(clipboard);
	clipboard->ops->vdagent_lost(clipboard->userdata);
}

static const struct agent_port_ops port_ops = {guest_up,        guest_grabbed, guest_released,
					       guest_requested, guest_text,    guest_lost};

int clipboard_set_vdagent(struct clipboard *clipboard, int fd)
{
	/* QEMU serves one connection at a time: the old one is closed first. */
	agent_port_free(clipboard->port);
	clipboard->port = NULL;
	guest_up(clipboard);
	return agent_port_new(clipboard->event, fd, clipboard->max_bytes, &port_ops, clipboard, &clipboard->port);
}

bool clipboard_set_size(struct clipboard *clipboard, uint32_t width, uint32_t height)
{
	return agent_port_set_size(clipboard->port, width, height);
}

bool clipboard_set_pointer(struct clipboard *clipboard, uint32_t x, uint32_t y, uint32_t buttons)
{
	return agent_port_set_pointer(clipboard->port, x, y, buttons);
}

/* -- what the displays say ------------------------------------------------------------------------------------------*/

static void peer_registered(struct display1_clipboard *peer, void *userdata)
{
	struct clipboard *clipboard = userdata;

	if (!clipboard->active)
		clipboard->active = peer;
	if (clipboard->active == peer && clipboard->offered != NONE)
		display1_clipboard_offer(peer, true);
}

static int peer_grabbed(struct display1_clipboard *peer, void *userdata)
{
	struct clipboard *clipboard = userdata;

	clipboard->newest = peer;
	if (!(clipboard->allowed & SCREEN_CLIPBOARD_IN)) {
		display1_clipboard_notice(peer, OFF_IN);
		return -EACCES;
	}
	if (peer == clipboard->active)
		give_to_guest(clipboard);
	return 0;
}

static void peer_released(struct display1_clipboard *peer, void *userdata)
{
	struct clipboard *clipboard = userdata;

	if (clipboard->newest == peer)
		clipboard->newest = NULL;
	if (clipboard->active == peer)
		take_from_guest(clipboard);
}

static int peer_requested(struct display1_clipboard *peer, void *userdata)
{
	struct clipboard *clipboard = userdata;

	if (clipboard->offered == NONE)
		return -ENOENT;
	if (clipboard->asker && clipboard->asker != peer)
		return -EBUSY;
	clipboard->asker = peer;
	/* Who asked before may have left; the same answer is for this one then. */
	if (clipboard->asked != NONE)
		return 0;
	clipboard->asked = clipboard->offered;
	sd_event_source_set_time_relative(clipboard->patience, ANSWER_USEC);
	sd_event_source_set_enabled(clipboard->patience, SD_EVENT_ONESHOT);
	if (!agent_port_request(clipboard->port, clipboard->asked))
		asked_done(clipboard, NULL, 0);
	return 0;
}

static void peer_text(struct display1_clipboard *peer, const char *data, size_t size, void *userdata)
{
	struct clipboard *clipboard = userdata;

	if (peer != clipboard->active)
		data = NULL;
	if (data && size > clipboard->max_bytes) {
		notice(clipboard, TOO_LONG);
		data = NULL;
	}
	answer_guest(clipboard, data, size);
	if (data)
		clipboard->ops->moved(SCREEN_CLIPBOARD_IN, size, clipboard->userdata);
}

const struct display1_clipboard_ops clipboard_display_ops = {
    .registered = peer_registered,
    .grabbed = peer_grabbed,
    .released = peer_released,
    .requested = peer_requested,
    .text = peer_text,
};

void clipboard_input(struct clipboard *clipboard, struct display1_clipboard *peer)
{
	if (clipboard->active == peer)
		return;
	answer_guest(clipboard, NULL, 0);
	clipboard->active = peer;
	if (clipboard->newest == peer && display1_clipboard_holds(peer))
		give_to_guest(clipboard);
	else if (clipboard->given[0])
		take_from_guest(clipboard);
	else if (clipboard->offered != NONE)
		display1_clipboard_offer(peer, true);
}

void clipboard_forget(struct clipboard *clipboard, struct display1_clipboard *peer)
{
	if (clipboard->asker == peer)
		clipboard->asker = NULL;
	if (clipboard->newest == peer)
		clipboard->newest = NULL;
	if (clipboard->active != peer)
		return;
	clipboard->active = NULL;
	take_from_guest(clipboard);
}

/* -- the policy -----------------------------------------------------------------------------------------------------*/

void clipboard_set_policy(struct clipboard *clipboard, uint32_t allowed, uint32_t max_bytes)
{
	clipboard->allowed = allowed;
	clipboard->max_bytes = max_bytes;
	agent_port_set_text_max(clipboard->port, max_bytes);
	if (clipboard->given[0] && !(allowed & SCREEN_CLIPBOARD_IN))
		take_from_guest(clipboard);
	else if (!clipboard->given[0] && clipboard->newest && clipboard->newest == clipboard->active)
		give_to_guest(clipboard);
	if (clipboard->given[PRIMARY] && !(allowed & SCREEN_CLIPBOARD_PRIMARY)) {
		clipboard->given[PRIMARY] = false;
		agent_port_release(clipboard->port, PRIMARY);
	}
	if (clipboard->offered != NONE && !may_offer(clipboard, clipboard->offered))
		offer(clipboard, NONE);
	if (clipboard->offered == NONE && clipboard->guest_has[0] && may_offer(clipboard, 0))
		offer(clipboard, 0);
}

int clipboard_new(sd_event *event, const struct clipboard_ops *ops, void *userdata, struct clipboard **ret)
{
	struct clipboard *clipboard = calloc(1, sizeof(*clipboard));
	int r;

	if (!clipboard)
		return -ENOMEM;
	clipboard->event = sd_event_ref(event);
	clipboard->ops = ops;
	clipboard->userdata = userdata;
	clipboard->offered = clipboard->asked = NONE;
	r = sd_event_add_time_relative(event, &clipboard->patience, CLOCK_MONOTONIC, 0, 0, on_patience, clipboard);
	if (r >= 0)
		r = sd_event_source_set_enabled(clipboard->patience, SD_EVENT_OFF);
	if (r < 0) {
		clipboard_free(clipboard);
		return r;
	}
	*ret = clipboard;
	return 0;
}

void clipboard_free(struct clipboard *clipboard)
{
	if (!clipboard)
		return;
	agent_port_free(clipboard->port);
	sd_event_source_disable_unref(clipboard->patience);
	sd_event_unref(clipboard->event);
	free(clipboard);
}
