/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * CLIPBOARD and PRIMARY of an X server, on a connection of its own: tells when another client holds a text, gets it
 * when it is asked for, and owns the selections for the host, whose text is asked for when a client pastes it. Other
 * clients are strangers: what they let wait or send too much of ends their own request.
 */
#ifndef GUEST_AGENT_SELECTION_H
#define GUEST_AGENT_SELECTION_H

#include "guest-agent/loop.h"

#include <stdbool.h>
#include <stddef.h>

/* Numbered as vdagent does. */
enum selection { SELECTION_CLIPBOARD, SELECTION_PRIMARY, SELECTION_COUNT };

struct selections;

/* Called from the loop; `fetched` also from selection_own, which ends a fetch. They free nothing of this module. */
struct selections_ops {
	/* Another client has a text there, which is new; or what was told before is no longer so. */
	void (*held)(enum selection which, bool held, void *userdata);
	/* The answer to selection_fetch: UTF-8. NULL: none has come. Borrowed. */
	void (*fetched)(enum selection which, const char *text, size_t size, void *userdata);
	/* Somebody pastes the host's text: selection_give answers. */
	void (*wanted)(enum selection which, void *userdata);
	/* The X server has gone. */
	void (*lost)(void *userdata);
};

/* Connects to the X server of $DISPLAY. text_max: bytes of a text. 0, -ENOTSUP without XFIXES, or -errno. */
int selections_new(struct loop *loop, size_t text_max, const struct selections_ops *ops, void *userdata,
		   struct selections **ret);
/* Takes NULL. */
void selections_free(struct selections *selections);

/* Asks the client that holds a text; while one is asked for, nothing more is. false: none is held. */
bool selection_fetch(struct selections *selections, enum selection which);
/* Takes the selection for the host, anew for each of its texts; and lets go of it, if it is still ours. */
void selection_own(struct selections *selections, enum selection which);
void selection_disown(struct selections *selections, enum selection which);
/* The host's text, UTF-8, for whoever waits and for who pastes it later; NULL: none has come. */
void selection_give(struct selections *selections, enum selection which, const char *text, size_t size);

#endif
