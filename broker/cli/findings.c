/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/findings.h"

#include "broker/admin_json.h"
#include "broker/cli/table.h"
#include "common/cleanup.h"

#include <stdarg.h>
#include <stdlib.h>

#define TEXT_MAX 1000

struct findings {
	struct json_object *json, *list;
	size_t problems;
};

struct findings *findings_new(void)
{
	struct findings *findings = calloc(1, sizeof(*findings));

	if (!findings)
		return NULL;
	findings->json = json_object_new_object();
	findings->list = json_object_new_array();
	if (!findings->json || !findings->list) {
		json_object_put(findings->list);
		json_object_put(findings->json);
		free(findings);
		return NULL;
	}
	json_add_number(findings->json, "problems", 0);
	json_add(findings->json, "findings", findings->list);
	return findings;
}

void findings_freep(struct findings **findings)
{
	if (*findings)
		json_object_put((*findings)->json);
	free(*findings);
}

static const char *level_text(enum finding level)
{
	static const char *const texts[] = {"ok", "note", "problem"};

	return texts[level];
}

void findings_add(struct findings *findings, enum finding level, const char *what, const char *todo, const char *format,
		  ...)
{
	struct json_object *object = json_object_new_object();
	char text[TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	json_add_text(object, "level", level_text(level));
	json_add_text(object, "what", what);
	json_add_text(object, "text", text);
	json_add(object, "todo", todo ? json_object_new_string(todo) : NULL);
	json_append(findings->list, object);
	if (level == FINDING_PROBLEM)
		json_add_number(findings->json, "problems", (int64_t)++findings->problems);
}

size_t findings_problems(const struct findings *findings)
{
	return findings->problems;
}

struct json_object *findings_json(const struct findings *findings)
{
	return findings->json;
}

static const char *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(object, key, &value) && value ? json_object_get_string(value) : NULL;
}

void findings_print(const struct findings *findings, FILE *out)
{
	_cleanup_(table_freep) struct table *table = table_new(3);
	size_t n = json_object_array_length(findings->list);

	for (size_t i = 0; table && i < n; i++) {
		struct json_object *object = json_object_array_get_idx(findings->list, i);
		const char *todo = member(object, "todo");
		char text[2 * TEXT_MAX];

		snprintf(text, sizeof(text), "%s%s%s", member(object, "text"), todo ? ": " : "", todo ? todo : "");
		(void)table_add(table, member(object, "level"));
		(void)table_add(table, member(object, "what"));
		(void)table_add(table, text);
	}
	if (table)
		table_print(table, out);
}
