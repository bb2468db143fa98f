/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a viewer is shown while its desktop is not there: pure, from the desktop's state. */
#ifndef BROKER_STATUS_H
#define BROKER_STATUS_H

#include "broker/report.h"

struct status_input {
	enum desktop_state state;
	uint32_t progress; /* 0..100 of the state */
	uint32_t failures; /* starts that failed in a row */
	bool given_up;     /* after the last of them */
	bool remade;       /* a floating desktop is replaced by a fresh clone */
	bool reconnecting; /* it runs; its screen is being connected again */
	bool host_away;
	bool unwritten;      /* what follows from its end cannot be written to the store yet */
	bool signing_in;     /* it runs; its user's session is not there yet */
	bool restarting;     /* booting, where she was signed in already */
	const char *refusal; /* why that cannot be, "" where it can */
	const char *reason;  /* of the last failure, "" where none */
};

struct status {
	char title[64];
	char detail[STORE_TEXT_SIZE];
	int32_t percent; /* -1: no bar */
	bool failed;
};

void status_make(const struct status_input *input, struct status *ret);

#endif
