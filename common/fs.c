/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/fs.h"

#include "common/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

int fs_path(char *buffer, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(buffer, size, format, args);
	va_end(args);
	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

int fd_set_nonblock(int fd, int on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int fd_set_cloexec(int fd, int on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int fd_write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

int fs_mkdir_p(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	int r = fs_path(part, sizeof(part), "%s", path);

	if (r < 0)
		return r;
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(part, mode) < 0 && errno != EEXIST ? -errno : 0;
}

static int fs_sync_directory_of(const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');
	_cleanup_close_ int fd = -1;
	int r;

	if (!slash)
		r = fs_path(directory, sizeof(directory), ".");
	else
		r = fs_path(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	if (r < 0)
		return r;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int fs_write_temporary(const char *path, const void *data, size_t size, mode_t mode)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	int r;

	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode) < 0)
		return -errno;
	r = fd_write_all(fd, data, size);
	if (r < 0)
		return r;
	return fsync(fd) < 0 ? -errno : 0;
}

int fs_write_atomic(const char *path, const void *data, size_t size, mode_t mode)
{
	char temporary[PATH_MAX];
	int r = fs_path(temporary, sizeof(temporary), "%s.new.%d", path, (int)getpid());

	if (r < 0)
		return r;
	r = fs_write_temporary(temporary, data, size, mode);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(temporary);
		return r;
	}
	return fs_sync_directory_of(path);
}

/* Reads up to max + 1 bytes: one more than allowed tells a file that is too large, whatever its size claims to be
 * (/proc). */
static int read_up_to(int fd, size_t max, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *data = NULL;
	size_t size = 0, room = 0;

	for (;;) {
		ssize_t n;

		if (room - size < 2) {
			char *larger;

			room = room == 0 ? 4096 : room * 2;
			if (room > max + 2)
				room = max + 2;
			larger = realloc(data, room);
			if (!larger)
				return -ENOMEM;
			data = larger;
		}
		n = read(fd, data + size, room - size - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
		if (size > max)
			return -EFBIG;
	}
	data[size] = '\0';
	if (ret_size)
		*ret_size = size;
	*ret = steal_ptr(data);
	return 0;
}

int fs_read_file(const char *path, size_t max, char **ret, size_t *ret_size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : read_up_to(fd, max, ret, ret_size);
}

static int remove_below(int dir_fd, dev_t device);

static int remove_entry(int dir_fd, const char *name, dev_t device)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != device)
		return -EXDEV;
	r = remove_below(fd, device);
	if (r < 0)
		return r;
	return unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

static int remove_below(int dir_fd, dev_t device)
{
	int copy = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	DIR *directory = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	int r = 0;

	if (!directory) {
		r = -errno;
		if (copy >= 0)
			close(copy);
		return r;
	}
	while (r == 0 && (entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = remove_entry(dir_fd, entry->d_name, device);
	closedir(directory);
	return r;
}

int fs_remove_tree(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	return remove_entry(AT_FDCWD, path, st.st_dev);
}
