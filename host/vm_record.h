/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What definition.json of a desktop's directory says: all of it that must survive a restart of hotdesk-host. */
#ifndef HOST_VM_RECORD_H
#define HOST_VM_RECORD_H

#include "common/error.h"
#include "host/host_api.h"
#include "host/image.h"

#include <stdbool.h>

#define VM_RECORD_MAX (64u << 10)
#define VM_REASON_SIZE 480

enum vm_cause { VM_CAUSE_NONE, VM_CAUSE_ASKED, VM_CAUSE_GUEST, VM_CAUSE_CRASH };

struct vm_record {
	char id[HOST_DESKTOP_ID_MAX];
	uint32_t slot;
	char image[IMAGE_NAME_SIZE];
	uint32_t image_version;
	uint32_t memory_mib, vcpus;
	bool nat;
	uint64_t generation; /* the SetDesired that gave these values */
	uint32_t boot;       /* counts the guest's starts */
	bool running;        /* QEMU was started and its end was not seen */
	bool ready;          /* since this boot */
	bool sign_in;        /* its agent can sign users in */
	enum vm_cause cause; /* of the last end */
	char reason[VM_REASON_SIZE];
};

/* The caller's (free). NULL: out of memory. */
char *vm_record_text(const struct vm_record *record);
int vm_record_parse(const char *text, size_t size, struct vm_record *ret);

/* host_api.h's word; "" for VM_CAUSE_NONE. */
const char *vm_cause_text(enum vm_cause cause);

enum vm_want { VM_WANT_STOPPED, VM_WANT_RUNNING, VM_WANT_ABSENT };

struct vm_desired {
	struct vm_record record; /* id, slot, image, image_version, memory_mib, vcpus, nat */
	enum vm_want want;
};

struct json_object;

/* One object of SetDesired. -EINVAL with err's text where a value is missing or impossible. */
int vm_desired_parse(struct json_object *object, struct vm_desired *ret, struct error *err);

#endif
