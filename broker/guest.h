/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The user's session inside of a desktop, where the guest's agent can sign users in: asked for when somebody who has
 * logged in watches, unlocked at her next login, and what becomes of it. Guests without such an agent are shown as they
 * are.
 */
#ifndef BROKER_GUEST_H
#define BROKER_GUEST_H

#include "broker/desktop.h"

/* Does what the desktop's state, its session and its viewers ask for; call it after any of them changed. */
void guest_update(struct desktop *desktop);
/* Its user has logged in (again): what was refused is tried again, a locked screen is opened. */
void guest_login(struct desktop *desktop);
/* The session is over, the desktop given up, or the broker ends: nothing more is asked. */
void guest_forget(struct desktop *desktop);

/* Viewers may see its screen: nobody is to be signed in, or the session is there. */
bool guest_is_open(const struct desktop *desktop);
/* Why the sign-in failed; "" where it has not. */
const char *guest_refusal(const struct desktop *desktop);
/* The user's session is in the guest, as far as is known. */
bool guest_is_there(const struct desktop *desktop);
/* It was, and has ended: she has logged off. */
bool guest_has_left(const struct desktop *desktop);

/*
 * Asks the agent to log the user off; done is called once, unless guest_forget comes first: she is logged off, or it
 * could not be done. -ENOENT: there is no session, or no agent that can.
 */
int guest_log_off(struct desktop *desktop, void (*done)(struct desktop *desktop));

#endif
