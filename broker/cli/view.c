/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/view.h"

#include "broker/cli/table.h"
#include "common/cleanup.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define COLUMNS_MAX 10

enum format { PLAIN, BYTES, MIB, COUNT, TIME, SUM };

struct column {
	const char *title; /* NULL: behind the last */
	const char *key;
	enum format format;
};

/* A list: of a command's reply, or of a member of it ("pools" of "status"). */
static const struct view {
	const char *command, *member;
	const char *empty; /* what to do when there are no rows */
	struct column columns[COLUMNS_MAX + 1];
} views[] = {
    {"image list",
     NULL,
     "no images yet: hotdesk image import NAME FILE",
     {{"NAME", "name", PLAIN},
      {"VERSION", "version", PLAIN},
      {"PUBLISHED", "published", PLAIN},
      {"DISK", "virtual_size", BYTES},
      {"SIZE", "size", BYTES},
      {"IN USE", "in_use", PLAIN},
      {"RECIPE", "recipe_name", PLAIN},
      {"CREATED", "created", TIME},
      {"SHA256", "sha256", SUM}}},
    {"image show",
     "versions",
     NULL,
     {{"VERSION", "version", PLAIN},
      {"PUBLISHED", "published", PLAIN},
      {"DISK", "virtual_size", BYTES},
      {"SIZE", "size", BYTES},
      {"DIRECT BOOT", "direct_boot", PLAIN},
      {"IN USE", "in_use", PLAIN},
      {"RECIPE", "recipe_name", PLAIN},
      {"LOG", "log", PLAIN},
      {"CREATED", "created", TIME},
      {"SHA256", "sha256", PLAIN}}},
    {"pool list",
     NULL,
     "no pools yet: hotdesk pool create NAME image=IMAGE",
     {{"NAME", "name", PLAIN},
      {"KIND", "kind", PLAIN},
      {"IMAGE", "image", PLAIN},
      {"MEMORY", "memory_mib", MIB},
      {"VCPUS", "vcpus", PLAIN},
      {"DESKTOPS", "desktops", PLAIN},
      {"SPARES", "spares", PLAIN},
      {"MAX", "max", PLAIN},
      {"USERS", "users", COUNT},
      {"GROUPS", "groups", COUNT}}},
    {"desktop list",
     NULL,
     "no desktops: one is made when a user of a pool logs in",
     {{"ID", "id", PLAIN},
      {"POOL", "pool", PLAIN},
      {"OWNER", "owner", PLAIN},
      {"STATE", "state", PLAIN},
      {"IMAGE", "image", PLAIN},
      {"VERSION", "image_version", PLAIN},
      {"VIEWERS", "viewers", PLAIN},
      {"REASON", "reason", PLAIN}}},
    {"session list",
     NULL,
     "no open sessions",
     {{"ID", "id", PLAIN},
      {"USER", "user", PLAIN},
      {"POOL", "pool", PLAIN},
      {"DESKTOP", "desktop", PLAIN},
      {"STATE", "state", PLAIN},
      {"VIEWERS", "viewers", COUNT},
      {"STARTED", "started", TIME}}},
    {"status",
     "pools",
     "no pools yet: hotdesk pool create NAME image=IMAGE",
     {{"POOL", "name", PLAIN}, {"DESKTOPS", "desktops", PLAIN}, {"SPARES", "spares", PLAIN}, {"MAX", "max", PLAIN}}},
};

static const struct view *view_find(const char *command, const char *member)
{
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		const struct view *view = &views[i];

		if (strcmp(view->command, command) == 0 &&
		    (view->member == member || (view->member && member && strcmp(view->member, member) == 0)))
			return view;
	}
	return NULL;
}

static void format_bytes(int64_t bytes, char *buffer, size_t size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	snprintf(buffer, size, unit && value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

/* Adds ", TEXT" to what the buffer has. */
static void append(char *buffer, size_t size, const char *key, const char *text)
{
	size_t used = strlen(buffer);

	snprintf(buffer + used, size - used, "%s%s%s%s", used ? ", " : "", key, *key ? " " : "", text ? text : "-");
}

/* "a, b, c" or "key 2, other 1"; the members of an object in it stand among its own. */
static void append_members(struct json_object *value, char *buffer, size_t size)
{
	size_t n = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;

	for (size_t i = 0; i < n; i++)
		append(buffer, size, "", json_object_get_string(json_object_array_get_idx(value, i)));
	if (!json_object_is_type(value, json_type_object))
		return;
	json_object_object_foreach(value, key, member)
	{
		if (json_object_is_type(member, json_type_object))
			append_members(member, buffer, size);
		else if (json_object_is_type(member, json_type_boolean))
			append(buffer, size, key, json_object_get_boolean(member) ? "runs" : "DOES NOT ANSWER");
		else
			append(buffer, size, key, json_object_get_string(member));
	}
}

static void format_plain(struct json_object *value, char *buffer, size_t size)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
		buffer[0] = '\0';
		break;
	case json_type_boolean:
		snprintf(buffer, size, "%s", json_object_get_boolean(value) ? "yes" : "no");
		break;
	case json_type_array:
	case json_type_object:
		buffer[0] = '\0';
		append_members(value, buffer, size);
		break;
	default:
		snprintf(buffer, size, "%s", json_object_get_string(value));
	}
}

/* "2026-11-23T00:26:22Z" -> "2026-11-23 00:26:22 UTC"; anything else as it is. */
static void format_time(struct json_object *value, char *buffer, size_t size)
{
	const char *text = json_object_get_string(value);

	if (text && strlen(text) == 20 && text[10] == 'T' && text[19] == 'Z')
		snprintf(buffer, size, "%.10s %.8s UTC", text, text + 11);
	else
		format_plain(value, buffer, size);
}

static void format_value(enum format format, struct json_object *value, char *buffer, size_t size)
{
	if (!value) {
		buffer[0] = '\0';
		return;
	}
	switch (format) {
	case BYTES:
		format_bytes(json_object_get_int64(value), buffer, size);
		break;
	case MIB:
		snprintf(buffer, size, "%" PRId64 " MiB", json_object_get_int64(value));
		break;
	case COUNT:
		snprintf(buffer, size, "%zu",
			 json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0);
		break;
	case TIME:
		format_time(value, buffer, size);
		break;
	case SUM: /* enough to tell one from the other */
		snprintf(buffer, size, "%.12s",
			 json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "");
		break;
	case PLAIN:
		format_plain(value, buffer, size);
		break;
	}
}

static size_t column_count(const struct view *view)
{
	size_t n = 0;

	while (view->columns[n].title)
		n++;
	return n;
}

static void print_list(const struct view *view, struct json_object *list, FILE *out, FILE *hints)
{
	size_t columns = column_count(view), rows = json_object_array_length(list);
	_cleanup_(table_freep) struct table *table = table_new(columns);

	if (rows == 0 && view->empty)
		fprintf(hints, "%s\n", view->empty);
	if (rows == 0 || !table)
		return;
	for (size_t c = 0; c < columns; c++)
		(void)table_add(table, view->columns[c].title);
	for (size_t i = 0; i < rows; i++)
		for (size_t c = 0; c < columns; c++) {
			struct json_object *value = NULL;
			char cell[1024];

			json_object_object_get_ex(json_object_array_get_idx(list, i), view->columns[c].key, &value);
			format_value(view->columns[c].format, value, cell, sizeof(cell));
			(void)table_add(table, cell);
		}
	table_print(table, out);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), n = strlen(end);

	return length > n && strcmp(text + length - n, end) == 0;
}

/* "memory_free_mib": 512 -> "memory free", "512 MiB". */
static void add_line(struct table *table, const char *key, struct json_object *value)
{
	char label[64], text[2048];
	bool mib = ends_with(key, "_mib");

	snprintf(label, sizeof(label), "%.*s", (int)(strlen(key) - (mib ? strlen("_mib") : 0)), key);
	for (char *p = label; *p; p++)
		if (*p == '_')
			*p = ' ';
	format_value(mib ? MIB : TIME, value, text, sizeof(text));
	(void)table_add(table, label);
	(void)table_add(table, text);
}

static void print_object(const char *name, struct json_object *object, FILE *out, FILE *hints)
{
	_cleanup_(table_freep) struct table *table = table_new(2);

	if (!table)
		return;
	json_object_object_foreach(object, key, value)
	{
		if (!view_find(name, key))
			add_line(table, key, value);
	}
	table_print(table, out);
	json_object_object_foreach(object, member, list)
	{
		const struct view *view = view_find(name, member);

		if (view && json_object_is_type(list, json_type_array)) {
			fputc('\n', out);
			print_list(view, list, out, hints);
		}
	}
}

void view_print(const char *name, struct json_object *reply, FILE *out, FILE *hints)
{
	const struct view *view = view_find(name, NULL);
	struct json_object *message = NULL;

	if (json_object_object_get_ex(reply, "message", &message))
		fprintf(out, "%s\n", json_object_get_string(message));
	else if (json_object_is_type(reply, json_type_array) && view)
		print_list(view, reply, out, hints);
	else if (json_object_is_type(reply, json_type_object))
		print_object(name, reply, out, hints);
	else
		fprintf(out, "%s\n", json_object_get_string(reply));
}
