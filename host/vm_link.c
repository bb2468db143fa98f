/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A desktop's conversations with QEMU: its control socket, new connections to its display and its vdagent port. */
#include "host/vm_internal.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/packet.h"
#include "host/json.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define SECOND UINT64_C(1000000)
#define IO_RETRY_USEC (3 * SECOND)
#define IO_STEADY_USEC SECOND /* a guest that goes on repeats its failed writes at once */

static void continue_guest(struct vm *vm)
{
	if (vm->qmp)
		qmp_execute(vm->qmp, "cont", NULL, -1, NULL, NULL);
}

static void paused_by_disk(struct vm *vm)
{
	vm->io_running = false;
	vm->io_since = clock_usec();
	if (vm->io_error)
		return;
	vm->io_error = true;
	snprintf(vm->record.reason, sizeof(vm->record.reason),
		 "The desktop is paused: the disk of %.256s is full. It goes on by itself when there is room again.",
		 vm->env->dirs.state);
	log_warning("desktop %s: %s", vm->record.id, vm->record.reason);
	vm_changed(vm);
	vm_tick_soon(vm);
}

static void disk_has_room(struct vm *vm)
{
	vm->io_error = false;
	vm->record.reason[0] = '\0';
	/* What it stood still is no part of the time it has to get ready. */
	if (vm->state == VM_BOOTING)
		vm->since = clock_usec();
	log_notice("desktop %s: there is room on the disk again, it goes on", vm->record.id);
	vm_changed(vm);
}

static void guest_runs(struct vm *vm)
{
	if (!vm->io_error || vm->io_running)
		return;
	vm->io_running = true;
	vm->io_since = clock_usec();
}

void vm_retry_disk(struct vm *vm)
{
	uint64_t age = clock_usec() - vm->io_since;

	if (vm->io_running && age >= IO_STEADY_USEC) {
		disk_has_room(vm);
	} else if (!vm->io_running && age >= IO_RETRY_USEC) {
		log_debug("desktop %s: tries whether there is room on the disk", vm->record.id);
		vm->io_since = clock_usec();
		continue_guest(vm);
	}
}

static void guest_shut_down(struct vm *vm)
{
	if (vm->state != VM_STOPPING)
		vm_begin_stop(vm, VM_CAUSE_GUEST, false);
	/* It waits for this (-action shutdown=pause). */
	vm_quit(vm);
}

static void internal_error(struct vm *vm)
{
	if (vm->state == VM_STOPPING)
		return;
	snprintf(vm->record.reason, sizeof(vm->record.reason),
		 "The desktop's virtual machine stopped with an error of the processor's emulation");
	vm_begin_stop(vm, VM_CAUSE_CRASH, true);
}

static void status_told(int r, struct json_object *data, const struct error *err, void *userdata)
{
	struct vm *vm = userdata;
	const char *status = json_text(data, "status");

	(void)err;
	if (r < 0 || !status)
		return;
	if (strcmp(status, "shutdown") == 0)
		guest_shut_down(vm);
	else if (strcmp(status, "internal-error") == 0 || strcmp(status, "guest-panicked") == 0)
		internal_error(vm);
	else if (strcmp(status, "io-error") == 0)
		paused_by_disk(vm);
	else if (strcmp(status, "running") == 0)
		guest_runs(vm);
	else if (strcmp(status, "paused") == 0)
		continue_guest(vm);
	if (vm->state == VM_STARTING)
		vm_set_state(vm, VM_BOOTING);
}

static void ask_status(struct vm *vm)
{
	qmp_execute(vm->qmp, "query-status", NULL, -1, status_told, vm);
}

static void qmp_connected(void *userdata)
{
	struct vm *vm = userdata;

	vm->qmp_up = true;
	ask_status(vm);
}

static void qmp_event(const struct qmp_event *event, void *userdata)
{
	struct vm *vm = userdata;

	switch (event->type) {
	case QMP_EVENT_SHUTDOWN:
		if (event->guest)
			guest_shut_down(vm);
		break;
	case QMP_EVENT_BLOCK_IO_ERROR:
		/* Of a full disk STOP comes next, which tells it once. */
		if (!event->nospace)
			log_warning("desktop %s: its disk cannot be read or written", vm->record.id);
		break;
	case QMP_EVENT_STOP:
	case QMP_EVENT_RESUME:
		ask_status(vm);
		break;
	case QMP_EVENT_RESET:
		vm_rebooted(vm);
		break;
	case QMP_EVENT_POWERDOWN:
	case QMP_EVENT_OTHER:
		break;
	}
}

int vm_links_up(struct vm *vm)
{
	static const struct qmp_ops qmp_ops = {qmp_connected, qmp_event};
	char path[PATH_MAX];
	int r = vm_socket_path(&vm->env->dirs, vm->record.id, "qmp", path);

	if (r == 0)
		r = qmp_new(vm->env->event, path, &qmp_ops, vm, &vm->qmp);
	return r < 0 ? r : vm_agent_up(vm);
}

void vm_links_down(struct vm *vm)
{
	struct qmp *qmp = vm->qmp;

	vm->qmp = NULL;
	vm->qmp_up = vm->io_error = false;
	qmp_free(qmp);
	vm_agent_down(vm);
}

void vm_press_power(struct vm *vm)
{
	if (vm->qmp)
		qmp_execute(vm->qmp, "system_powerdown", NULL, -1, NULL, NULL);
}

void vm_quit(struct vm *vm)
{
	if (vm->qmp)
		qmp_execute(vm->qmp, "quit", NULL, -1, NULL, NULL);
}

struct display {
	vm_display_fn done;
	void *userdata;
	int fd;
};

static void display_added(int r, struct json_object *data, const struct error *err, void *userdata)
{
	struct display *display = userdata;

	(void)data;
	if (r < 0)
		closep(&display->fd);
	display->done(r, r < 0 ? -1 : display->fd, err, display->userdata);
	free(display);
}

static struct json_object *arguments(const char *fd_name, const char *protocol)
{
	struct json_object *object = json_object_new_object();
	bool good = true;

	json_put(object, "fdname", json_object_new_string(fd_name), &good);
	if (protocol)
		json_put(object, "protocol", json_object_new_string(protocol), &good);
	if (good)
		return object;
	json_object_put(object);
	return NULL;
}

static int add_display(struct vm *vm, int theirs, struct display *display)
{
	char name[32];
	int r;

	snprintf(name, sizeof(name), "display-%u", vm->displays++);
	r = qmp_execute(vm->qmp, "getfd", arguments(name, NULL), theirs, NULL, NULL);
	if (r < 0)
		return r;
	/* Where getfd failed this one fails for want of the fd. */
	return qmp_execute(vm->qmp, "add_client", arguments(name, "@dbus-display"), -1, display_added, display);
}

/* What is missing: "display", ... */
static int check_runs(const struct vm *vm, const char *what, struct error *err)
{
	if (vm->qmp && vm->state != VM_STOPPING)
		return 0;
	return error_set(err, -EAGAIN,
			 "desktop %s has no %s while it does not run: try again once `hotdesk desktop list` shows it "
			 "as ready",
			 vm->record.id, what);
}

int vm_open_display(struct vm *vm, vm_display_fn done, void *userdata, struct error *err)
{
	struct display *display;
	int ends[2], r = check_runs(vm, "display", err);

	if (r < 0)
		return r;
	display = calloc(1, sizeof(*display));
	if (!display)
		return error_set(err, -ENOMEM, "out of memory");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		r = -errno;
		free(display);
		return error_set_errno(err, r, "cannot make a socket");
	}
	*display = (struct display){done, userdata, ends[0]};
	r = add_display(vm, ends[1], display);
	if (r == 0)
		return 0;
	close(ends[0]);
	free(display);
	return error_set_errno(err, r, "QEMU cannot be asked");
}

int vm_open_vdagent(const struct vm *vm, struct error *err)
{
	char path[PATH_MAX];
	int r = check_runs(vm, "clipboard", err);

	if (r < 0)
		return r;
	r = vm_socket_path(&vm->env->dirs, vm->record.id, "vdagent", path);
	if (r == 0)
		r = socket_connect(path, SOCK_STREAM | SOCK_NONBLOCK);
	return r < 0 ? error_set_errno(err, r, "the vdagent port of desktop %s cannot be reached", vm->record.id) : r;
}
