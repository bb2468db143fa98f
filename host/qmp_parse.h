/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The words of QMP (docs/interop/qmp-spec of QEMU) as data; pure. The QEMU behind it may be taken over by its guest. */
#ifndef HOST_QMP_PARSE_H
#define HOST_QMP_PARSE_H

#include "common/error.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QMP_LINE_MAX (1u << 20)

enum qmp_kind { QMP_GREETING, QMP_RETURN, QMP_ERROR, QMP_EVENT };

enum qmp_event_type {
	QMP_EVENT_OTHER,
	QMP_EVENT_SHUTDOWN,
	QMP_EVENT_STOP,
	QMP_EVENT_RESUME,
	QMP_EVENT_POWERDOWN,
	QMP_EVENT_RESET,
	QMP_EVENT_BLOCK_IO_ERROR
};

struct qmp_event {
	enum qmp_event_type type;
	bool guest;   /* SHUTDOWN: the guest's own doing */
	bool stopped; /* BLOCK_IO_ERROR: the guest was paused by it */
	bool nospace; /* BLOCK_IO_ERROR */
};

struct qmp_message {
	enum qmp_kind kind;
	int64_t id;               /* of QMP_RETURN and QMP_ERROR; -1: none */
	struct json_object *data; /* QMP_RETURN's value; owned */
	struct error error;       /* of QMP_ERROR */
	struct qmp_event event;
};

/* A line without its newline. -EBADMSG: not one of QMP's messages. Cleared with qmp_message_clear. */
int qmp_parse(const char *line, size_t size, struct qmp_message *ret);
void qmp_message_clear(struct qmp_message *message);

/* A command's line with its newline; arguments (NULL: none) is borrowed. *ret is the caller's (free). 0 or -ENOMEM. */
int qmp_command(const char *name, struct json_object *arguments, int64_t id, char **ret);

#endif
