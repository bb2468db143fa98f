/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gives a person who logged in her desktop: assign.h's decision, written to the store before anything is started. */
#ifndef BROKER_PLACE_H
#define BROKER_PLACE_H

#include "broker/desktop.h"

struct place {
	struct desktop *desktop;
	struct viewer_row viewer; /* in the store */
	char keyboard[STORE_KEYBOARD_SIZE];
};

/* pool "": no choice made. One transaction: desktop, session, viewer, event. A negative errno with err's text for the
 * person. */
int place_login(struct broker *broker, const struct identity *identity, const char *pool, const char *peer,
		struct place *ret, struct error *err);

#endif
