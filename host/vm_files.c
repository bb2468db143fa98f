/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/vm_files.h"

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/packet.h"
#include "host/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define LOG_MAX ((off_t)256 << 10) /* an older log is put aside before the next boot */
#define LOG_TAIL 2048
#define SOCKET_BACKLOG 4

static int vm_path(const struct vm_dirs *dirs, const char *id, const char *name, char ret[PATH_MAX])
{
	return fs_path(ret, PATH_MAX, "%s/%s/%s", dirs->state, id, name);
}

int vm_socket_path(const struct vm_dirs *dirs, const char *id, const char *name, char ret[PATH_MAX])
{
	return fs_path(ret, PATH_MAX, "%s/vm-%s/%s.sock", dirs->runtime, id, name);
}

int vm_files_exist(const struct vm_dirs *dirs, const char *id)
{
	struct stat st;
	char path[PATH_MAX];

	return vm_path(dirs, id, "definition.json", path) == 0 && stat(path, &st) == 0;
}

static int write_record(const char *directory, const struct vm_record *record)
{
	_cleanup_free_ char *text = vm_record_text(record);
	char path[PATH_MAX];
	int r = text ? fs_path(path, sizeof(path), "%s/definition.json", directory) : -ENOMEM;

	return r < 0 ? r : fs_write_atomic(path, text, strlen(text), 0600);
}

int vm_files_save(const struct vm_dirs *dirs, const struct vm_record *record)
{
	char directory[PATH_MAX];
	int r = fs_path(directory, sizeof(directory), "%s/%s", dirs->state, record->id);

	return r < 0 ? r : write_record(directory, record);
}

static int write_overlay(const char *directory, uint64_t virtual_size)
{
	_cleanup_free_ uint8_t *data = NULL;
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	size_t size = 0;
	int r = fs_path(path, sizeof(path), "%s/overlay.qcow2", directory);

	if (r == 0)
		r = overlay_make(virtual_size, &data, &size);
	if (r < 0)
		return r;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, data, size);
	if (r < 0)
		return r;
	return fsync(fd) < 0 ? -errno : 0;
}

static int make_directory(const struct vm_files *files)
{
	char temporary[PATH_MAX], final[PATH_MAX];
	int r = fs_path(temporary, sizeof(temporary), "%s/.new-%s", files->dirs->state, files->record.id);

	if (r == 0)
		r = fs_path(final, sizeof(final), "%s/%s", files->dirs->state, files->record.id);
	if (r == 0)
		r = fs_remove_tree(temporary);
	if (r < 0)
		return r;
	if (mkdir(temporary, 0700) < 0)
		return -errno;
	r = write_overlay(temporary, files->virtual_size);
	if (r == 0)
		r = write_record(temporary, &files->record);
	if (r == 0 && rename(temporary, final) < 0)
		r = -errno;
	if (r < 0)
		fs_remove_tree(temporary);
	return r;
}

static int open_file(const char *path, int flags, int *ret)
{
	*ret = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *ret < 0 ? -errno : 0;
}

static int open_log(struct vm_files *files)
{
	char path[PATH_MAX], old[PATH_MAX];
	struct stat st;
	int r = vm_path(files->dirs, files->record.id, "qemu.log", path);

	if (r == 0)
		r = vm_path(files->dirs, files->record.id, "qemu.log.old", old);
	if (r < 0)
		return r;
	if (stat(path, &st) == 0 && st.st_size > LOG_MAX)
		rename(path, old);
	r = open_file(path, O_WRONLY | O_CREAT | O_APPEND, &files->fds[VM_FD_LOG]);
	if (r < 0)
		return r;
	if (fstat(files->fds[VM_FD_LOG], &st) < 0)
		return -errno;
	files->log_from = (uint64_t)st.st_size;
	return 0;
}

static int open_image_file(struct vm_files *files, const char *name, enum vm_fd fd)
{
	char path[PATH_MAX];
	int r = fs_path(path, sizeof(path), "%s/%s/%u/%s", files->dirs->images, files->record.image,
			files->record.image_version, name);

	return r < 0 ? r : open_file(path, O_RDONLY, &files->fds[fd]);
}

static int open_images(struct vm_files *files)
{
	int r = open_image_file(files, "disk.qcow2", VM_FD_IMAGE);

	if (r == 0 && files->direct_boot)
		r = open_image_file(files, "vmlinux", VM_FD_KERNEL);
	if (r == 0 && files->direct_boot)
		r = open_image_file(files, "initrd", VM_FD_INITRD);
	return r;
}

static int open_sockets(struct vm_files *files)
{
	static const struct {
		const char *name;
		enum vm_fd fd;
	} sockets[] = {{"qmp", VM_FD_QMP}, {"agent", VM_FD_AGENT}, {"vdagent", VM_FD_VDAGENT}};
	char path[PATH_MAX];
	int r = fs_path(path, sizeof(path), "%s/vm-%s", files->dirs->runtime, files->record.id);

	if (r == 0)
		r = fs_mkdir_p(path, 0700);
	for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]) && r == 0; i++) {
		r = vm_socket_path(files->dirs, files->record.id, sockets[i].name, path);
		if (r == 0)
			r = socket_listen(path, SOCK_STREAM, SOCKET_BACKLOG, 0600);
		if (r >= 0) {
			files->fds[sockets[i].fd] = r;
			r = 0;
		}
	}
	return r;
}

static int failed(const struct vm_files *files, int r, struct error *err)
{
	if (r == -ENOSPC || r == -EDQUOT)
		return error_set(err, r, "the disk of %s is full: make room there", files->dirs->state);
	return error_set_errno(err, r, "the files of desktop %s cannot be prepared", files->record.id);
}

int vm_files_prepare(struct vm_files *files, struct error *err)
{
	char path[PATH_MAX];
	int r;

	for (size_t i = 0; i < VM_FDS; i++)
		files->fds[i] = -1;
	/* First, so that a clone of an image that is gone leaves nothing. */
	r = open_images(files);
	if (r == -ENOENT)
		return error_set(err, r, "image %s:%u is not on this machine any more: import it again",
				 files->record.image, files->record.image_version);
	if (r == 0)
		r = vm_files_exist(files->dirs, files->record.id) ? vm_files_save(files->dirs, &files->record)
								  : make_directory(files);
	if (r == 0)
		r = vm_path(files->dirs, files->record.id, "overlay.qcow2", path);
	if (r == 0)
		r = open_file(path, O_RDWR, &files->fds[VM_FD_OVERLAY]);
	if (r == 0)
		r = open_log(files);
	if (r == 0)
		r = open_sockets(files);
	return r < 0 ? failed(files, r, err) : 0;
}

void vm_files_close(struct vm_files *files)
{
	for (size_t i = 0; i < VM_FDS; i++) {
		closep(&files->fds[i]);
		files->fds[i] = -1;
	}
}

int vm_files_remove(const struct vm_dirs *dirs, const char *id)
{
	char from[PATH_MAX], to[PATH_MAX];
	int r = fs_path(from, sizeof(from), "%s/%s", dirs->state, id);

	if (r == 0)
		r = fs_path(to, sizeof(to), "%s/.removed-%s", dirs->state, id);
	if (r == 0)
		r = fs_remove_tree(to);
	/* From here on the desktop is gone, whatever happens to the removal. */
	if (r == 0 && rename(from, to) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0)
		r = fs_remove_tree(to);
	if (r == 0)
		r = fs_path(from, sizeof(from), "%s/vm-%s", dirs->runtime, id);
	return r < 0 ? r : fs_remove_tree(from);
}

void vm_log_tail(const struct vm_dirs *dirs, const char *id, uint64_t from, char *ret, size_t size)
{
	char path[PATH_MAX], text[LOG_TAIL + 1];
	_cleanup_close_ int fd = -1;
	struct stat st;
	ssize_t n;

	ret[0] = '\0';
	if (vm_path(dirs, id, "qemu.log", path) < 0 || open_file(path, O_RDONLY, &fd) < 0 || fstat(fd, &st) < 0)
		return;
	if ((uint64_t)st.st_size > from + LOG_TAIL)
		from = (uint64_t)st.st_size - LOG_TAIL;
	n = pread(fd, text, LOG_TAIL, (off_t)from);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\0'))
		n--;
	if (n <= 0)
		return;
	text[n] = '\0';
	for (ssize_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ')
			text[i] = ' ';
	snprintf(ret, size, "%s", (size_t)n >= size ? text + ((size_t)n - size + 1) : text);
}
