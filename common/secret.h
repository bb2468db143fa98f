/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Passwords: memory that is locked where rlimits allow it, left out of core dumps, and wiped before it is freed. */
#ifndef COMMON_SECRET_H
#define COMMON_SECRET_H

#include <stddef.h>

#define SECRET_MAX 1024 /* bytes of a password, without the NUL */

struct secret {
	size_t length; /* bytes used; data[length] is NUL */
	char data[SECRET_MAX + 1];
};

/* A zeroed secret in pages of its own. NULL: out of memory. */
struct secret *secret_new(void);

/* Wipes and frees; takes NULL. */
void secret_free(struct secret *secret);
void secret_freep(struct secret **secret);

/* An anonymous memfd (close-on-exec, sealed against resizing) with the bytes; *ret_fd is the caller's. */
int secret_to_memfd(const struct secret *secret, int *ret_fd);

/*
 * Reads a memfd made by secret_to_memfd (or a peer's) into *ret, then overwrites the memfd with zeroes.
 * -EFBIG: over SECRET_MAX. -EBADF: not a sealed memfd.
 */
int secret_from_memfd(int fd, struct secret **ret);

#endif
