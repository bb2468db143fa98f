/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether this machine can run desktops by KVM: asked, not assumed. A /dev/kvm that opens on a processor without vmx or
 * svm hangs a guest for ever. */
#ifndef HOST_ACCEL_H
#define HOST_ACCEL_H

#include "common/error.h"

#include <stdbool.h>

enum accel { ACCEL_NONE, ACCEL_KVM, ACCEL_TCG };

struct accel_probe {
	int device_error; /* 0 or the negative errno of opening /dev/kvm for reading and writing */
	bool api;         /* KVM_GET_API_VERSION answered 12 */
	bool cpu_flag;    /* vmx or svm among the processor's flags */
};

void accel_probe(struct accel_probe *ret);

/* Pure: the word vmx or svm on a "flags" line of /proc/cpuinfo. */
bool accel_cpu_flag(const char *cpuinfo);

/* Pure. mode: auto, kvm or tcg. reason (of ERROR_TEXT_MAX) gets the person's sentence. ACCEL_NONE: kvm was demanded and
 * is not there. */
enum accel accel_choose(const char *mode, const struct accel_probe *probe, char *reason);

/* "kvm", "tcg" or "none". */
const char *accel_text(enum accel accel);

#endif
