/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The control connection to one QEMU, on the event loop. It connects by itself, again after the connection was lost,
 * and asks one command at a time in the order given; commands given before the connection stands wait for it.
 */
#ifndef HOST_QMP_H
#define HOST_QMP_H

#include "host/qmp_parse.h"

#include <systemd/sd-event.h>

struct qmp;

struct qmp_ops {
	/* Greeted and ready for commands (again). */
	void (*connected)(void *userdata);
	/* Neither this nor a qmp_done_fn may free the qmp. */
	void (*event)(const struct qmp_event *event, void *userdata);
};

/* r < 0: err->text says why (QEMU's own words after "QEMU: "). data is borrowed, NULL on failure. */
typedef void (*qmp_done_fn)(int r, struct json_object *data, const struct error *err, void *userdata);

/* path: the socket that QEMU listens at. */
int qmp_new(sd_event *event, const char *path, const struct qmp_ops *ops, void *userdata, struct qmp **ret);
/* Commands under way fail with -ECANCELED. */
void qmp_free(struct qmp *qmp);

/*
 * Queues a command. arguments (may be NULL) and fd (sent along for getfd, -1: none) are taken over, also on failure.
 * done may be NULL. 0 or -ENOMEM.
 */
int qmp_execute(struct qmp *qmp, const char *name, struct json_object *arguments, int fd, qmp_done_fn done,
		void *userdata);

#endif
