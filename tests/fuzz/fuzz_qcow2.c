/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A foreign image: its header, and where that is accepted its tables. */
#include "common/cleanup.h"
#include "common/fs.h"
#include "host/qcow2_check.h"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qcow2_info info;
	struct error err = {0};
	_cleanup_close_ int fd = -1;

	if (qcow2_check(data, size < QCOW2_PREFIX_MAX ? size : QCOW2_PREFIX_MAX, size, &info, &err) < 0) {
		/* Nobody is refused without a reason. */
		if (err.text[0] == '\0')
			abort();
		return 0;
	}
	fd = memfd_create("image", MFD_CLOEXEC);
	if (fd >= 0 && fd_write_all(fd, data, size) == 0)
		qcow2_check_tables(fd, &info, size, &err);
	return 0;
}
