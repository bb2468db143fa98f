/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the wish to a process: image, files (in a worker), command line, hotdesk-spawn, pidfd. And finding it again. */
#include "host/vm_internal.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <string.h>

struct start {
	struct vm *vm;
	struct vm_files files;
	char append[IMAGE_APPEND_SIZE];
};

static void start_free(struct start *start)
{
	start->vm->start = NULL;
	vm_files_close(&start->files);
	free(start);
}

void vm_forget_start(struct vm *vm)
{
	if (!vm->start)
		return;
	spawn_client_forget(vm->env->spawn, vm->start);
	start_free(vm->start);
}

static void start_failed(struct start *start, const struct error *err)
{
	struct vm *vm = start->vm;

	vm->asking = false;
	start_free(start);
	vm_fail(vm, err);
}

/* Something else is wanted by now. */
static void start_given_up(struct start *start)
{
	struct vm *vm = start->vm;

	vm->asking = false;
	start_free(start);
	vm->record.running = false;
	vm->record.cause = VM_CAUSE_ASKED;
	vm_save(vm);
	vm_set_state(vm, VM_STOPPED);
}

static void crash_reason(struct vm *vm, const char *what)
{
	char tail[VM_REASON_SIZE / 2];

	vm_log_tail(&vm->env->dirs, vm->record.id, vm->log_from, tail, sizeof(tail));
	snprintf(vm->record.reason, sizeof(vm->record.reason), "%s%s%s", what, tail[0] ? ": " : "", tail);
}

/* The process is gone: which state it leaves behind depends on the one it ended in. */
static void process_ended(struct vm *vm)
{
	enum vm_state before = vm->state;
	bool failed = before == VM_STARTING || (before == VM_STOPPING && vm->failing);

	vm_links_down(vm);
	vm->process = sd_event_source_disable_unref(vm->process);
	vm->pid = 0;
	vm->record.running = vm->record.ready = vm->record.sign_in = false;
	vm->record.cause = before == VM_STOPPING ? vm->stop_cause : VM_CAUSE_CRASH;
	if (before == VM_STARTING)
		crash_reason(vm, "QEMU ended while it started");
	else if (before != VM_STOPPING)
		crash_reason(vm, "The desktop's virtual machine ended unexpectedly");
	else if (!vm->failing && vm->stop_cause != VM_CAUSE_CRASH)
		vm->record.reason[0] = '\0';
	if (vm->record.reason[0] != '\0')
		log_warning("desktop %s: %s", vm->record.id, vm->record.reason);
	vm->failing = false;
	vm_save(vm);
	vm_set_state(vm, failed ? VM_FAILED : VM_STOPPED);
}

static int pidfd_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	(void)source;
	(void)fd;
	(void)events;
	process_ended(userdata);
	return 0;
}

int vm_watch(struct vm *vm, pid_t pid, int pidfd)
{
	int r = sd_event_add_io(vm->env->event, &vm->process, pidfd, EPOLLIN, pidfd_readable, vm);

	if (r < 0) {
		close(pidfd);
		return r;
	}
	sd_event_source_set_io_fd_own(vm->process, 1);
	vm->pid = pid;
	return vm_links_up(vm);
}

static void start_succeeded(struct start *start, pid_t pid, int pidfd)
{
	struct vm *vm = start->vm;
	struct error err = {0};
	int r;

	vm->asking = false;
	vm->log_from = start->files.log_from;
	/* The fds are QEMU's now: a lock on a disk lives as long as any copy of its fd. */
	start_free(start);
	r = vm_watch(vm, pid, pidfd);
	if (r < 0) {
		error_set_errno(&err, r, "the desktop's virtual machine cannot be watched");
		vm_fail(vm, &err);
		return;
	}
	vm->since = clock_usec();
	vm_changed(vm);
	vm_wake(vm);
}

static bool is_ours(const struct vm *vm, const struct spawn_reply *reply)
{
	return strncmp(reply->tag, vm->record.id, sizeof(reply->tag)) == 0;
}

static void lost_start_asked(int r, const struct spawn_reply *reply, int pidfd, const struct error *err, void *userdata)
{
	struct start *start = userdata;

	if (r >= 0 && is_ours(start->vm, reply)) {
		start_succeeded(start, reply->pid, steal_fd(&pidfd));
		return;
	}
	closep(&pidfd);
	start_failed(start, r < 0 && r != -ESRCH ? err
						 : &(struct error){-EAGAIN, "hotdesk-spawn was restarted while the "
									    "desktop was started: try again"});
}

static void started(int r, const struct spawn_reply *reply, int pidfd, const struct error *err, void *userdata)
{
	struct start *start = userdata;

	if (r >= 0) {
		start_succeeded(start, reply->pid, pidfd);
		return;
	}
	closep(&pidfd);
	/* It may have been started all the same. */
	if ((r == -ECONNRESET || r == -ETIMEDOUT) &&
	    spawn_client_get(start->vm->env->spawn, SPAWN_QEMU, start->vm->record.slot, lost_start_asked, start) >= 0)
		return;
	start_failed(start, err);
}

static int ask_start(struct start *start, bool nat)
{
	const struct vm *vm = start->vm;
	const struct argv_input input = {
	    .id = vm->record.id,
	    .accel = vm->env->accel,
	    .memory_mib = vm->record.memory_mib,
	    .vcpus = vm->record.vcpus,
	    .direct_boot = start->files.direct_boot,
	    .append = start->append,
	    .nat = nat,
	};
	_cleanup_(argv_freep) char **argv = argv_make(&input);
	size_t n_fds = start->files.direct_boot ? VM_FDS : VM_FD_KERNEL;

	if (!argv)
		return -ENOMEM;
	return spawn_client_start(vm->env->spawn, SPAWN_QEMU, vm->record.slot, vm->record.id, (const char *const *)argv,
				  start->files.fds, n_fds, VM_FD_LOG, started, start);
}

static void launch(struct start *start, bool nat)
{
	struct error err = {0};
	int r;

	if (!vm_wants_running(start->vm)) {
		start_given_up(start);
		return;
	}
	start->vm->asking = true;
	r = ask_start(start, nat);
	if (r < 0) {
		error_set_errno(&err, r, "QEMU's command line cannot be sent to hotdesk-spawn");
		start_failed(start, &err);
	}
}

static void nat_asked(int r, const struct spawn_reply *reply, int pidfd, const struct error *err, void *userdata)
{
	struct start *start = userdata;
	struct vm *vm = start->vm;
	bool nat;

	closep(&pidfd);
	if (r < 0) {
		start_failed(start, err);
		return;
	}
	nat = (reply->flags & SPAWN_FLAG_NAT) != 0;
	if (!nat) {
		snprintf(vm->warning, sizeof(vm->warning),
			 "network = nat cannot be had on this machine and the desktop has no network: %.*s",
			 (int)sizeof(reply->text), reply->text);
		log_warning("desktop %s: %s", vm->record.id, vm->warning);
	}
	launch(start, nat);
}

static int prepare_work(void *data, struct error *err)
{
	return vm_files_prepare(&((struct start *)data)->files, err);
}

static void prepared(int r, const struct error *err, void *data)
{
	struct start *start = data;
	struct vm *vm = start->vm;

	vm->job = false;
	vm->exists = vm->exists || r == 0;
	if (r < 0) {
		start_failed(start, err);
		return;
	}
	if (vm->state == VM_CLONING)
		vm_set_state(vm, VM_STARTING);
	if (!vm->record.nat) {
		launch(start, false);
		return;
	}
	vm->asking = true;
	if (spawn_client_status(vm->env->spawn, nat_asked, start) < 0)
		start_failed(start, &(struct error){-ENOMEM, "out of memory"});
}

static void no_image(const struct image_store *images, const struct vm_record *wanted, struct error *err)
{
	const struct image *newest = image_store_newest(images, wanted->image);

	if (wanted->image_version != 0)
		error_set(err, -ENOENT, "image %s:%u is not on this machine: import it again", wanted->image,
			  wanted->image_version);
	else if (newest)
		error_set(err, -ENOENT, "no version of image %s is published: `hotdesk image publish %s:%u`",
			  newest->name, newest->name, newest->version);
	else
		error_set(err, -ENOENT, "there is no image %s: import one with `hotdesk image import`", wanted->image);
}

/* Makes the record of the next boot; NULL with err's text when there can be none. A clone keeps its image's version. */
static const struct image *next_record(struct vm *vm, struct error *err)
{
	const struct vm_record *wanted = vm->exists ? &vm->record : &vm->desired;
	const struct image *image = image_store_find(vm->env->images, wanted->image, wanted->image_version);

	if (vm->env->accel == ACCEL_NONE) {
		error_set(err, -ENODEV, "%s", vm->env->accel_reason);
		return NULL;
	}
	if (!image) {
		no_image(vm->env->images, wanted, err);
		return NULL;
	}
	memcpy(vm->record.image, image->name, sizeof(vm->record.image));
	vm->record.image_version = image->version;
	vm->record.slot = vm->desired.slot;
	vm->record.memory_mib = vm->desired.memory_mib;
	vm->record.vcpus = vm->desired.vcpus;
	vm->record.nat = vm->desired.nat;
	vm->record.generation = vm->desired.generation;
	vm->record.boot++;
	vm->record.running = true;
	vm->record.ready = vm->record.sign_in = false;
	vm->record.cause = VM_CAUSE_NONE;
	vm->record.reason[0] = '\0';
	return image;
}

static struct start *start_new(struct vm *vm, const struct image *image)
{
	struct start *start = calloc(1, sizeof(*start));

	if (!start)
		return NULL;
	start->vm = vm;
	start->files.dirs = &vm->env->dirs;
	start->files.record = vm->record;
	start->files.virtual_size = image->virtual_size;
	start->files.direct_boot = image->direct_boot;
	for (size_t i = 0; i < VM_FDS; i++)
		start->files.fds[i] = -1;
	memcpy(start->append, image->append, sizeof(start->append));
	return start;
}

void vm_begin(struct vm *vm)
{
	const struct image *image;
	struct error err = {0};
	struct start *start;

	vm->run_requested = false;
	vm->force = vm->failing = false;
	vm->warning[0] = '\0';
	image = next_record(vm, &err);
	if (!image) {
		vm_fail(vm, &err);
		return;
	}
	start = start_new(vm, image);
	if (!start || jobs_start(vm->env->jobs, prepare_work, prepared, start) < 0) {
		free(start);
		error_set(&err, -ENOMEM, "out of memory");
		vm_fail(vm, &err);
		return;
	}
	vm->start = start;
	vm->job = true;
	vm_set_state(vm, vm->exists ? VM_STARTING : VM_CLONING);
}

static void adopt_over(struct vm *vm)
{
	vm->asking = false;
	vm->env->adopted(vm, vm->env->userdata);
}

static void adopt_ended(struct vm *vm)
{
	if (vm->record.running) {
		vm->record.running = vm->record.ready = vm->record.sign_in = false;
		vm->record.cause = VM_CAUSE_CRASH;
		crash_reason(vm, "The desktop's virtual machine ended while hotdesk-host was away");
		vm_save(vm);
	}
	adopt_over(vm);
}

static void adopt_asked(int r, const struct spawn_reply *reply, int pidfd, const struct error *err, void *userdata)
{
	struct vm *vm = userdata;

	if (r == -ETIMEDOUT || r == -ECONNRESET) {
		log_warning("desktop %s cannot be looked for, trying again: %s", vm->record.id, err->text);
		vm_adopt(vm);
		return;
	}
	if (r < 0 || !is_ours(vm, reply)) {
		closep(&pidfd);
		adopt_ended(vm);
		return;
	}
	log_info("desktop %s runs as pid %d", vm->record.id, reply->pid);
	vm->state = vm->record.ready ? VM_READY : VM_BOOTING;
	vm->progress = vm->record.ready ? 100 : 20;
	vm->since = clock_usec();
	/* It runs: a record that says otherwise was not written in time. */
	vm->record.running = true;
	vm->want = VM_WANT_RUNNING;
	sd_event_source_set_enabled(vm->tick, SD_EVENT_ONESHOT);
	r = vm_watch(vm, reply->pid, pidfd);
	if (r < 0)
		log_error("desktop %s cannot be watched: %s", vm->record.id, strerror(-r));
	adopt_over(vm);
}

void vm_adopt(struct vm *vm)
{
	int r;

	vm->asking = true;
	r = spawn_client_get(vm->env->spawn, SPAWN_QEMU, vm->record.slot, adopt_asked, vm);
	if (r < 0) {
		log_error("desktop %s cannot be looked for: %s", vm->record.id, strerror(-r));
		adopt_over(vm);
	}
}
