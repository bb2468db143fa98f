/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/secret.h"

#include "common/cleanup.h"
#include "common/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SECRET_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

struct secret *secret_new(void)
{
	struct secret *secret = mmap(NULL, sizeof(*secret), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (secret == MAP_FAILED)
		return NULL;
	/* Both only harden: without RLIMIT_MEMLOCK the secret is still wiped and left out of dumps. */
	(void)mlock(secret, sizeof(*secret));
	(void)madvise(secret, sizeof(*secret), MADV_DONTDUMP);
	return secret;
}

void secret_free(struct secret *secret)
{
	if (!secret)
		return;
	explicit_bzero(secret, sizeof(*secret));
	munmap(secret, sizeof(*secret));
}

void secret_freep(struct secret **secret)
{
	secret_free(*secret);
}

int secret_to_memfd(const struct secret *secret, int *ret_fd)
{
	_cleanup_close_ int fd = memfd_create("hotdesk-secret", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, secret->data, secret->length);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, SECRET_SEALS) < 0)
		return -errno;
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int secret_memfd_size(int fd, size_t *ret)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || (seals & SECRET_SEALS) != SECRET_SEALS || (seals & F_SEAL_WRITE))
		return -EBADF;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > SECRET_MAX)
		return -EFBIG;
	*ret = (size_t)st.st_size;
	return 0;
}

int secret_from_memfd(int fd, struct secret **ret)
{
	static const char zeroes[SECRET_MAX];
	_cleanup_(secret_freep) struct secret *secret = NULL;
	size_t size = 0;
	int r = secret_memfd_size(fd, &size);

	if (r < 0)
		return r;
	secret = secret_new();
	if (!secret)
		return -ENOMEM;
	if (pread(fd, secret->data, size, 0) != (ssize_t)size || pwrite(fd, zeroes, size, 0) != (ssize_t)size)
		return -EIO;
	secret->length = size;
	*ret = steal_ptr(secret);
	return 0;
}
