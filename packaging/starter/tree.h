/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The processes below this one, which is their sub-reaper (prctl(2) PR_SET_CHILD_SUBREAPER). */
#ifndef STARTER_TREE_H
#define STARTER_TREE_H

#include <stddef.h>

/* Sends signal to each live descendant of this process (0: to none); returns how many there are. */
size_t tree_signal(int signal);

#endif
