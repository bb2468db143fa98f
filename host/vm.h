/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One desktop's virtual machine: what is wanted of it is told by vm_want, what is comes by the ops. Level-triggered:
 * every event only notes a fact, then one switch over the states decides the next step (vm.c).
 *
 *   absent -> cloning -> starting -> booting -> ready -> stopping -> stopped -> absent
 *             (stopped -> starting ...)   any start -> failed   a QEMU that dies -> stopped (crash)
 */
#ifndef HOST_VM_H
#define HOST_VM_H

#include "common/spawn_client.h"
#include "host/accel.h"
#include "host/agent_link.h"
#include "host/image_store.h"
#include "host/jobs.h"
#include "host/vm_files.h"
#include "host/vm_record.h"

#include <json-c/json.h>

struct vm;

/* What all desktops share; outlives them. */
struct vm_env {
	sd_event *event;
	struct spawn_client *spawn;
	struct jobs *jobs;
	const struct image_store *images;
	struct vm_dirs dirs;
	enum accel accel;
	char accel_reason[ERROR_TEXT_MAX];
	uint64_t ready_usec, stop_usec;
	void (*changed)(struct vm *vm, void *userdata);
	void (*gone)(struct vm *vm, void *userdata);    /* nothing of it is left: the callee frees it */
	void (*adopted)(struct vm *vm, void *userdata); /* end of vm_adopt */
	void *userdata;
};

/* exists: its directory is there (found at start). */
int vm_new(const struct vm_env *env, const struct vm_record *record, bool exists, struct vm **ret);
/* Forgets it; a QEMU goes on. After jobs_free, or from `gone`. */
void vm_free(struct vm *vm);

/* After a start of hotdesk-host: finds the QEMU that may still run. */
void vm_adopt(struct vm *vm);

void vm_want(struct vm *vm, const struct vm_desired *desired, uint64_t generation);
/* The wanted set does not name it: it is left alone. */
void vm_orphan(struct vm *vm);
/* Whatever is wanted, until the next vm_want. */
void vm_stop(struct vm *vm, bool force);

/* fd (the callee's, -1 on failure) is a new D-Bus display connection of QEMU. */
typedef void (*vm_display_fn)(int r, int fd, const struct error *err, void *userdata);
/* 0, or negative errno with err's text: then done is not called. */
int vm_open_display(struct vm *vm, vm_display_fn done, void *userdata, struct error *err);

/* A connection to the port of the spice-vdagent protocol, the caller's, non-blocking; QEMU serves one at a time and the
 * next one once that has ended. Else a negative errno with err's text. */
int vm_open_vdagent(const struct vm *vm, struct error *err);

/*
 * Asks the desktop's agent (agent_link.h); fields as in agent_request.h. 0: done is called once, later, -ECONNRESET
 * when the desktop ends. Else a negative errno with err's text.
 */
int vm_agent_call(struct vm *vm, const char *request, struct json_object *fields, agent_done_fn done, void *userdata,
		  struct error *err);

const char *vm_id(const struct vm *vm);
bool vm_uses_image(const struct vm *vm, const char *name, uint32_t version);
/* As host_api.h has it; the caller's. NULL: out of memory. */
struct json_object *vm_json(const struct vm *vm);

#endif
