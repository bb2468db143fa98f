/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "common/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>

int sandbox_enter(const char *const *names)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = 0;

	if (!filter)
		return -ENOMEM;
	for (; *names && r == 0; names++) {
		int number = seccomp_syscall_resolve_name(*names);

		if (number != __NR_SCMP_ERROR)
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
	}
	if (r == 0)
		r = seccomp_load(filter); /* sets no_new_privs: libseccomp's default for SCMP_FLTATR_CTL_NNP */
	seccomp_release(filter);
	return r;
}
