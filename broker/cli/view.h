/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The broker's JSON replies as a person reads them: lists as tables, one thing as lines of "key: value". */
#ifndef CLI_VIEW_H
#define CLI_VIEW_H

#include <json-c/json.h>
#include <stdio.h>

/* name: the command's, "pool list". What a list without rows means goes to `hints`. */
void view_print(const char *name, struct json_object *reply, FILE *out, FILE *hints);

#endif
