/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `hotdesk doctor` found, in the order in which it looked. */
#ifndef CLI_FINDINGS_H
#define CLI_FINDINGS_H

#include <json-c/json.h>
#include <stdio.h>

enum finding { FINDING_OK, FINDING_NOTE, FINDING_PROBLEM };

struct findings;

/* NULL: out of memory. */
struct findings *findings_new(void);
void findings_freep(struct findings **findings);

/* what: "kvm"; todo: what to do, NULL where there is nothing; the text is cut at 1000 bytes. */
void findings_add(struct findings *findings, enum finding level, const char *what, const char *todo, const char *format,
		  ...) __attribute__((format(printf, 5, 6)));

size_t findings_problems(const struct findings *findings);

/* {"problems":N,"findings":[{"level","what","text","todo"}]}, borrowed. */
struct json_object *findings_json(const struct findings *findings);

/* A line each: level, what, text; what to do behind it. */
void findings_print(const struct findings *findings, FILE *out);

#endif
