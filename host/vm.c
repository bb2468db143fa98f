/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "host/vm_internal.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define SECOND UINT64_C(1000000)
#define START_USEC (120 * SECOND) /* until QEMU must have answered by QMP */
#define BOOT_USEC (20 * SECOND)   /* half of the progress bar; the guest tells nothing about its own progress */
#define POWER_USEC (5 * SECOND)   /* a guest that has just begun to boot does not see the power button */
#define KILL_USEC (2 * SECOND)    /* asked of hotdesk-spawn again */

void vm_wake(struct vm *vm)
{
	sd_event_source_set_enabled(vm->wake, SD_EVENT_ONESHOT);
}

void vm_changed(struct vm *vm)
{
	vm->env->changed(vm, vm->env->userdata);
}

void vm_tick_soon(struct vm *vm)
{
	sd_event_source_set_time_relative(vm->tick, SECOND);
	sd_event_source_set_enabled(vm->tick, SD_EVENT_ONESHOT);
}

void vm_set_state(struct vm *vm, enum vm_state state)
{
	static const unsigned progress[] = {
	    [VM_CLONING] = 5, [VM_STARTING] = 10, [VM_BOOTING] = 20, [VM_READY] = 100, [VM_FAILED] = 0,
	};

	vm->state = state;
	vm->since = clock_usec();
	vm->progress = progress[state];
	vm_tick_soon(vm);
	vm_changed(vm);
	vm_wake(vm);
}

bool vm_wants_running(const struct vm *vm)
{
	return vm->want == VM_WANT_RUNNING && !vm->halt;
}

struct save {
	struct vm *vm;
	const struct vm_dirs *dirs;
	struct vm_record record;
};

static int save_work(void *data, struct error *err)
{
	struct save *save = data;
	int r = vm_files_save(save->dirs, &save->record);

	return r < 0 ? error_set_errno(err, r, "the definition of desktop %s cannot be written", save->record.id) : 0;
}

static void save_done(int r, const struct error *err, void *data)
{
	struct save *save = data;

	save->vm->job = false;
	if (r < 0)
		log_error("%s", err->text);
	vm_wake(save->vm);
	free(save);
}

static void start_save(struct vm *vm)
{
	struct save *save;

	if (!vm->dirty || vm->job || !vm->exists || !(save = malloc(sizeof(*save))))
		return;
	save->vm = vm;
	save->dirs = &vm->env->dirs;
	save->record = vm->record;
	if (jobs_start(vm->env->jobs, save_work, save_done, save) < 0) {
		free(save);
		return;
	}
	vm->job = true;
	vm->dirty = false;
}

void vm_save(struct vm *vm)
{
	vm->dirty = true;
	vm_wake(vm);
}

static int remove_work(void *data, struct error *err)
{
	struct save *save = data;
	int r = vm_files_remove(save->dirs, save->record.id);

	return r < 0 ? error_set_errno(err, r, "the files of desktop %s cannot be removed", save->record.id) : 0;
}

static void remove_done(int r, const struct error *err, void *data)
{
	struct save *save = data;
	struct vm *vm = save->vm;

	free(save);
	vm->job = false;
	if (r < 0) {
		log_error("%s", err->text);
		snprintf(vm->record.reason, sizeof(vm->record.reason), "%s", err->text);
		vm_set_state(vm, VM_FAILED);
		/* Tried again when it is wanted absent again. */
		vm->want = VM_WANT_STOPPED;
		return;
	}
	vm->exists = false;
	vm_wake(vm);
}

static void start_remove(struct vm *vm)
{
	struct save *save = malloc(sizeof(*save));

	if (!save)
		return;
	save->vm = vm;
	save->dirs = &vm->env->dirs;
	save->record = vm->record;
	if (jobs_start(vm->env->jobs, remove_work, remove_done, save) < 0)
		free(save);
	else
		vm->job = true;
}

void vm_fail(struct vm *vm, const struct error *err)
{
	log_warning("desktop %s: %s", vm->record.id, err->text);
	vm->record.running = vm->record.ready = vm->record.sign_in = false;
	vm->record.cause = VM_CAUSE_NONE;
	snprintf(vm->record.reason, sizeof(vm->record.reason), "%s", err->text);
	vm_save(vm);
	vm_set_state(vm, VM_FAILED);
}

static void killed(int r, const struct spawn_reply *reply, int pidfd, const struct error *err, void *userdata)
{
	struct vm *vm = userdata;

	(void)reply;
	closep(&pidfd);
	if (r < 0 && r != -ESRCH)
		log_warning("desktop %s could not be killed, trying again: %s", vm->record.id, err->text);
}

/* By hotdesk-spawn: under another uid it is not ours to signal. */
static void kill_process(struct vm *vm)
{
	vm->signalled = clock_usec();
	spawn_client_signal(vm->env->spawn, SPAWN_QEMU, vm->record.slot, SIGKILL, killed, vm);
}

void vm_begin_stop(struct vm *vm, enum vm_cause cause, bool force)
{
	vm->stop_cause = cause;
	vm->force |= force;
	vm->signalled = vm->powered = 0;
	vm_set_state(vm, VM_STOPPING);
}

static void step_idle(struct vm *vm)
{
	if (vm->job || vm->asking)
		return;
	if (vm->want == VM_WANT_ABSENT && vm->exists) {
		start_remove(vm);
	} else if (vm->want == VM_WANT_ABSENT) {
		vm->state = VM_ABSENT;
		vm_changed(vm);
		vm->env->gone(vm, vm->env->userdata);
	} else if (vm_wants_running(vm) && vm->run_requested) {
		vm->dirty = false; /* the start writes it */
		vm_begin(vm);
	} else {
		start_save(vm);
	}
}

static void step_running(struct vm *vm)
{
	/* A clone that is to be thrown away need not be shut down. */
	if (vm->process && !vm_wants_running(vm))
		vm_begin_stop(vm, VM_CAUSE_ASKED, vm->force || vm->want == VM_WANT_ABSENT || !vm->qmp_up);
	else
		start_save(vm);
}

static void step_stopping(struct vm *vm)
{
	uint64_t now = clock_usec();

	if (!vm->process)
		return;
	if (vm->want == VM_WANT_ABSENT || now - vm->since >= vm->env->stop_usec)
		vm->force = true;
	if (vm->force) {
		if (vm->signalled == 0 || now - vm->signalled >= KILL_USEC)
			kill_process(vm);
	} else if (vm->stop_cause == VM_CAUSE_ASKED && (vm->powered == 0 || now - vm->powered >= POWER_USEC)) {
		vm->powered = now;
		vm_press_power(vm);
	}
}

static int vm_step(sd_event_source *source, void *userdata)
{
	struct vm *vm = userdata;

	(void)source;
	switch (vm->state) {
	case VM_ABSENT:
	case VM_STOPPED:
	case VM_FAILED:
		step_idle(vm);
		break;
	case VM_CLONING:
	case VM_STARTING:
	case VM_BOOTING:
	case VM_READY:
		step_running(vm);
		break;
	case VM_STOPPING:
		step_stopping(vm);
		break;
	}
	return 0;
}

static void tick_starting(struct vm *vm)
{
	if (!vm->process || clock_usec() - vm->since < START_USEC)
		return;
	snprintf(vm->record.reason, sizeof(vm->record.reason),
		 "QEMU was started but does not answer: this machine may be overloaded");
	vm->failing = true;
	vm_begin_stop(vm, VM_CAUSE_CRASH, true);
}

static void tick_booting(struct vm *vm)
{
	uint64_t age = clock_usec() - vm->since;
	unsigned progress = 20 + (unsigned)(75 * age / (age + BOOT_USEC));

	if (vm->io_error || vm_agent_settle(vm))
		return;
	if (age >= vm->env->ready_usec) {
		log_warning("desktop %s: no agent has reported, it is shown as it is", vm->record.id);
		vm->late = vm->record.ready = true;
		vm->record.sign_in = false;
		vm_save(vm);
		vm_set_state(vm, VM_READY);
	} else if (progress > vm->progress) {
		vm->progress = progress;
		vm_changed(vm);
	}
}

void vm_rebooted(struct vm *vm)
{
	/* Another guest may never say that it is ready: it is shown while it starts again. */
	if (vm->state != VM_READY || !vm->record.sign_in)
		return;
	log_info("desktop %s starts again by itself", vm->record.id);
	vm->record.boot++;
	vm->record.ready = vm->record.sign_in = false;
	vm->rebooted = clock_usec();
	vm->agent_ready = vm->introduced = vm->late = false;
	vm->session = (struct agent_session){0};
	vm_save(vm);
	vm_set_state(vm, VM_BOOTING);
}

static int vm_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct vm *vm = userdata;
	bool again = vm->state != VM_READY || vm->io_error;

	(void)source;
	(void)usec;
	switch (vm->state) {
	case VM_STARTING:
		tick_starting(vm);
		break;
	case VM_BOOTING:
		tick_booting(vm);
		break;
	case VM_STOPPING:
		step_stopping(vm);
		break;
	case VM_ABSENT:
	case VM_STOPPED:
	case VM_FAILED:
		again = false;
		break;
	case VM_CLONING:
	case VM_READY:
		break;
	}
	if (vm->io_error)
		vm_retry_disk(vm);
	if (again)
		vm_tick_soon(vm);
	return 0;
}

void vm_want(struct vm *vm, const struct vm_desired *desired, uint64_t generation)
{
	vm->want = desired->want;
	/* What runs has got what was asked: should it crash, the next vm_want starts it, not this one. */
	vm->run_requested = desired->want == VM_WANT_RUNNING && !(vm->state >= VM_CLONING && vm->state <= VM_READY);
	vm->halt = false;
	if (vm->want == VM_WANT_RUNNING && vm->state != VM_STOPPING)
		vm->force = false;
	vm->orphan = false;
	vm->desired = desired->record;
	vm->desired.generation = generation;
	vm_wake(vm);
}

void vm_orphan(struct vm *vm)
{
	if (vm->orphan)
		return;
	vm->orphan = true;
	log_warning("desktop %s is not among the wanted ones any more and is left alone", vm->record.id);
	vm_changed(vm);
}

void vm_stop(struct vm *vm, bool force)
{
	vm->halt = true;
	vm->run_requested = false;
	vm->force |= force;
	/* At once: a vm_want that comes before the next step may ask for it again. */
	if (vm->process && vm->state != VM_STOPPING)
		vm_begin_stop(vm, VM_CAUSE_ASKED, force || !vm->qmp_up);
	vm_wake(vm);
}

const char *vm_id(const struct vm *vm)
{
	return vm->record.id;
}

bool vm_uses_image(const struct vm *vm, const char *name, uint32_t version)
{
	return (vm->exists || vm->state == VM_CLONING) && strcmp(vm->record.image, name) == 0 &&
	       (version == 0 || vm->record.image_version == version);
}

int vm_new(const struct vm_env *env, const struct vm_record *record, bool exists, struct vm **ret)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int r;

	if (!vm)
		return -ENOMEM;
	vm->env = env;
	vm->record = *record;
	vm->desired = *record;
	vm->exists = exists;
	vm->state = exists ? VM_STOPPED : VM_ABSENT;
	r = sd_event_add_defer(env->event, &vm->wake, vm_step, vm);
	if (r >= 0)
		r = sd_event_source_set_enabled(vm->wake, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(env->event, &vm->tick, CLOCK_MONOTONIC, SECOND, 0, vm_tick, vm);
	if (r >= 0)
		r = sd_event_source_set_enabled(vm->tick, SD_EVENT_OFF);
	if (r < 0) {
		vm_free(vm);
		return r;
	}
	*ret = vm;
	return 0;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	vm_links_down(vm);
	vm_forget_start(vm);
	spawn_client_forget(vm->env->spawn, vm);
	sd_event_source_disable_unref(vm->wake);
	sd_event_source_disable_unref(vm->tick);
	sd_event_source_disable_unref(vm->process);
	free(vm);
}
