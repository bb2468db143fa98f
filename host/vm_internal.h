/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared by vm.c (states), vm_start.c (from files to a process), vm_link.c (QMP), vm_agent.c and vm_report.c. */
#ifndef HOST_VM_INTERNAL_H
#define HOST_VM_INTERNAL_H

#include "host/qmp.h"
#include "host/vm.h"

enum vm_state {
	VM_ABSENT,
	VM_CLONING,
	VM_STARTING,
	VM_BOOTING,
	VM_READY,
	VM_STOPPING,
	VM_STOPPED,
	VM_FAILED,
};

struct vm {
	const struct vm_env *env;
	struct vm_record record;  /* as on the disk, but for `dirty` */
	struct vm_record desired; /* memory, vcpus, network of the next start */
	enum vm_state state;
	uint64_t since; /* of the state; CLOCK_MONOTONIC, us */
	unsigned progress;
	char warning[VM_REASON_SIZE];

	enum vm_want want;
	bool run_requested; /* by a vm_want that no start has answered yet */
	bool halt, force;   /* vm_stop */
	bool orphan;

	bool exists;      /* its directory is there */
	bool job, asking; /* a file job, a request to hotdesk-spawn is under way */
	bool dirty;       /* the record is to be written */

	sd_event_source *wake, *tick, *process;
	struct start *start; /* of vm_start.c, while it is under way */
	pid_t pid;
	uint64_t log_from;
	enum vm_cause stop_cause;    /* of VM_STOPPING */
	bool failing;                /* VM_STOPPING ends in VM_FAILED */
	uint64_t signalled, powered; /* when it was killed, when the power button was pressed; 0: not yet */

	struct qmp *qmp;
	bool qmp_up;
	bool io_error;     /* paused, or let go on just now, until there is room on the disk */
	bool io_running;   /* let go on: over when it is not paused again soon */
	uint64_t io_since; /* of io_running, or of the last attempt */
	unsigned displays;

	struct agent_link *link;
	struct agent_message agent;   /* its last hello */
	struct agent_session session; /* what it said last */
	bool agent_there;
	bool agent_ready;      /* it said so in this boot */
	bool introduced;       /* it was told time and name in this boot */
	bool late;             /* VM_READY without its ready */
	uint64_t rebooted;     /* when this boot began, where the guest began it by itself; 0: it did not */
	uint64_t told;         /* when its news were passed on */
	sd_event_source *news; /* passes on what came too soon after that */
};

/* Runs the switch from the loop, soon. */
void vm_wake(struct vm *vm);
void vm_set_state(struct vm *vm, enum vm_state state);
void vm_changed(struct vm *vm);
void vm_tick_soon(struct vm *vm);
/* The record is written soon. */
void vm_save(struct vm *vm);
/* A start that came to nothing; no process is left. */
void vm_fail(struct vm *vm, const struct error *err);
/* Ends the process: the state becomes VM_STOPPING. */
void vm_begin_stop(struct vm *vm, enum vm_cause cause, bool force);
bool vm_wants_running(const struct vm *vm);

/* The guest starts again in the same process. */
void vm_rebooted(struct vm *vm);

/* vm_start.c */
void vm_begin(struct vm *vm);
/* Forgets a start that waits for hotdesk-spawn. */
void vm_forget_start(struct vm *vm);
/* pidfd is taken over. */
int vm_watch(struct vm *vm, pid_t pid, int pidfd);

/* vm_link.c */
int vm_links_up(struct vm *vm);
void vm_links_down(struct vm *vm);
void vm_press_power(struct vm *vm);
void vm_quit(struct vm *vm);
/* Each second while io_error: lets the guest try again now and then, and sees that it got through. */
void vm_retry_disk(struct vm *vm);

/* vm_agent.c */
int vm_agent_up(struct vm *vm);
void vm_agent_down(struct vm *vm);
/* VM_BOOTING becomes VM_READY where the agent has said so and may; true: it did. */
bool vm_agent_settle(struct vm *vm);

#endif
