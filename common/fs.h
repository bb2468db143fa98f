/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that are whole or not there. All return 0 (or what is said) or a negative errno. */
#ifndef COMMON_FS_H
#define COMMON_FS_H

#include <stddef.h>
#include <sys/types.h>

/* mkdir -p; the last directory gets `mode`, ones made on the way 0755. */
int fs_mkdir_p(const char *path, mode_t mode);

/* Writes path by a temporary file in the same directory, fsync, rename, fsync of the directory. */
int fs_write_atomic(const char *path, const void *data, size_t size, mode_t mode);

/* The whole file with a NUL behind it; *ret is the caller's (free). -EFBIG over max bytes. ret_size may be NULL. */
int fs_read_file(const char *path, size_t max, char **ret, size_t *ret_size);

/* rm -r without following links or crossing mounts; 0 when nothing is there. */
int fs_remove_tree(const char *path);

/* vsnprintf into a fixed buffer; -ENAMETOOLONG when it does not fit. */
int fs_path(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

int fd_set_nonblock(int fd, int on);
int fd_set_cloexec(int fd, int on);

/* Writes all of it to a blocking fd, through EINTR and short writes. */
int fd_write_all(int fd, const void *data, size_t size);

#endif
