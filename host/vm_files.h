/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A desktop's directory STATE_DIR/host/vm/ID (definition.json, overlay.qcow2, qemu.log), there as a whole by rename,
 * and what QEMU gets opened. All of it for worker threads.
 */
#ifndef HOST_VM_FILES_H
#define HOST_VM_FILES_H

#include "common/error.h"
#include "host/argv.h"
#include "host/vm_record.h"

#include <limits.h>

struct vm_dirs {
	char home[PATH_MAX];    /* STATE_DIR/host */
	char state[PATH_MAX];   /* STATE_DIR/host/vm */
	char runtime[PATH_MAX]; /* RUNTIME_DIR/host */
	char images[PATH_MAX];  /* STATE_DIR/host/images */
};

struct vm_files {
	const struct vm_dirs *dirs;
	struct vm_record record;
	uint64_t virtual_size; /* of a new overlay */
	bool direct_boot;
	int fds[VM_FDS];   /* result; -1: not there */
	uint64_t log_from; /* result: where this boot's part of qemu.log begins */
};

/*
 * Makes the directory unless it is there, writes the record, and opens what QEMU needs. 0 or negative errno with err's
 * text. The fds are the caller's (vm_files_close), also after a failure.
 */
int vm_files_prepare(struct vm_files *files, struct error *err);
void vm_files_close(struct vm_files *files);

int vm_files_exist(const struct vm_dirs *dirs, const char *id);
int vm_files_save(const struct vm_dirs *dirs, const struct vm_record *record);
/* Both directories of a desktop; 0 when nothing is there. */
int vm_files_remove(const struct vm_dirs *dirs, const char *id);

/* "RUNTIME_DIR/host/vm-ID/NAME.sock" */
int vm_socket_path(const struct vm_dirs *dirs, const char *id, const char *name, char ret[PATH_MAX]);

/* The last lines of this boot's part of qemu.log on one line, "" where there are none. A few KiB: for the loop. */
void vm_log_tail(const struct vm_dirs *dirs, const char *id, uint64_t from, char *ret, size_t size);

#endif
