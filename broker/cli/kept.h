/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Texts that come as a file with a reply: an image's recipe or log. */
#ifndef CLI_KEPT_H
#define CLI_KEPT_H

#include <stdbool.h>
#include <stddef.h>

#define KEPT_MAX ((size_t)64 << 20)

/* The whole file; *ret, with a NUL behind it, is the caller's (free). 0, -EFBIG over KEPT_MAX or -errno. */
int kept_read(int fd, char **ret, size_t *ret_size);

/* To stdout as it is, or, for json, as member "text" of the reply (broken UTF-8 and NUL as '?'). 0 or -errno. */
int kept_print(int fd, const char *reply, bool json);

#endif
