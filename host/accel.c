/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/accel.h"

#include "common/cleanup.h"
#include "common/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#define CPUINFO_MAX (4u << 20)

static bool word_in_line(const char *line, size_t length, const char *word)
{
	size_t size = strlen(word);

	for (const char *at = line; (at = memmem(at, length - (size_t)(at - line), word, size)); at++) {
		const char *end = at + size;
		bool begins = at > line && (at[-1] == ' ' || at[-1] == '\t');

		if (begins && (end == line + length || *end == ' '))
			return true;
	}
	return false;
}

bool accel_cpu_flag(const char *cpuinfo)
{
	for (const char *line = cpuinfo; *line;) {
		size_t length = strcspn(line, "\n");

		if (strncmp(line, "flags", 5) == 0 &&
		    (word_in_line(line, length, "vmx") || word_in_line(line, length, "svm")))
			return true;
		line += length + (line[length] == '\n');
	}
	return false;
}

void accel_probe(struct accel_probe *ret)
{
	_cleanup_close_ int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	_cleanup_free_ char *cpuinfo = NULL;

	ret->device_error = fd < 0 ? -errno : 0;
	ret->api = fd >= 0 && ioctl(fd, KVM_GET_API_VERSION, 0) == KVM_API_VERSION;
	ret->cpu_flag = fs_read_file("/proc/cpuinfo", CPUINFO_MAX, &cpuinfo, NULL) == 0 && accel_cpu_flag(cpuinfo);
}

/* NULL: KVM can be used. */
static const char *accel_fault(const struct accel_probe *probe)
{
	if (probe->device_error == -ENOENT)
		return "there is no /dev/kvm: load the kernel module kvm_intel or kvm_amd";
	if (!probe->cpu_flag)
		return "/dev/kvm is there but the processor offers neither vmx nor svm: switch virtualisation on in "
		       "the firmware, or nested virtualisation in the hypervisor";
	if (probe->device_error < 0)
		return "hotdesk-host may not open /dev/kvm: put its user into the group kvm";
	if (!probe->api)
		return "/dev/kvm does not answer as KVM";
	return NULL;
}

enum accel accel_choose(const char *mode, const struct accel_probe *probe, char *reason)
{
	const char *fault = accel_fault(probe);

	if (strcmp(mode, "tcg") == 0) {
		snprintf(reason, ERROR_TEXT_MAX, "accel = tcg in [host]: desktops are emulated and slow");
		return ACCEL_TCG;
	}
	if (!fault) {
		snprintf(reason, ERROR_TEXT_MAX, "/dev/kvm can be used");
		return ACCEL_KVM;
	}
	if (strcmp(mode, "kvm") == 0) {
		snprintf(reason, ERROR_TEXT_MAX, "accel = kvm in [host] cannot be had: %s", fault);
		return ACCEL_NONE;
	}
	snprintf(reason, ERROR_TEXT_MAX, "desktops are emulated and slow: %s", fault);
	return ACCEL_TCG;
}

const char *accel_text(enum accel accel)
{
	return accel == ACCEL_KVM ? "kvm" : accel == ACCEL_TCG ? "tcg" : "none";
}
