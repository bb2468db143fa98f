/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The signals that end a command: SIGINT, SIGTERM, SIGHUP. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <signal.h>
#include <stddef.h>

static const int signals_ending[] = {SIGINT, SIGTERM, SIGHUP};
#define SIGNALS_ENDING (sizeof(signals_ending) / sizeof(signals_ending[0]))

/* Blocks them for good, so that they can be waited for. ret: the set, may be NULL. */
static inline void signals_block(sigset_t *ret)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < SIGNALS_ENDING; i++)
		sigaddset(&set, signals_ending[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (ret)
		*ret = set;
}

#endif
