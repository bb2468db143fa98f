/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/cli/table.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define TABLE_GAP 2

struct table {
	size_t columns, n, room;
	char **cells;
};

struct table *table_new(size_t columns)
{
	struct table *table = calloc(1, sizeof(*table));

	if (table)
		table->columns = columns;
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->n; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}

void table_freep(struct table **table)
{
	table_free(*table);
}

/* The bytes of the character at text and its width; broken bytes and control characters are one byte of width -1. */
static size_t next_character(const char *text, mbstate_t *state, int *ret_width)
{
	wchar_t wide = 0;
	size_t n = mbrtowc(&wide, text, MB_LEN_MAX, state);

	if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
		*state = (mbstate_t){0};
		*ret_width = -1;
		return 1;
	}
	*ret_width = wcwidth(wide);
	return n;
}

size_t text_width(const char *text)
{
	mbstate_t state = {0};
	size_t sum = 0;

	while (*text) {
		int width;

		text += next_character(text, &state, &width);
		sum += width < 0 ? 1 : (size_t)width;
	}
	return sum;
}

/* A copy whose every character can be printed. */
static char *printable(const char *text)
{
	char *copy = malloc(strlen(text) + 1), *to = copy;
	mbstate_t state = {0};

	while (copy && *text) {
		int width;
		size_t n = next_character(text, &state, &width);

		if (width < 0) {
			*to++ = '?';
		} else {
			memcpy(to, text, n);
			to += n;
		}
		text += n;
	}
	if (copy)
		*to = '\0';
	return copy;
}

int table_add(struct table *table, const char *text)
{
	char *copy;

	if (table->n == table->room) {
		size_t room = table->room ? table->room * 2 : 64;
		char **cells = reallocarray(table->cells, room, sizeof(*cells));

		if (!cells)
			return -ENOMEM;
		table->cells = cells;
		table->room = room;
	}
	copy = printable(*text ? text : "-");
	if (!copy)
		return -ENOMEM;
	table->cells[table->n++] = copy;
	return 0;
}

static size_t column_width(const struct table *table, size_t column)
{
	size_t widest = 0;

	for (size_t i = column; i < table->n; i += table->columns) {
		size_t width = text_width(table->cells[i]);

		if (width > widest)
			widest = width;
	}
	return widest;
}

static void print_row(const struct table *table, size_t row, const size_t *widths, FILE *out)
{
	for (size_t c = 0; c < table->columns && row + c < table->n; c++) {
		const char *cell = table->cells[row + c];
		bool last = c + 1 == table->columns;

		fputs(cell, out);
		if (!last)
			fprintf(out, "%*s", (int)(widths[c] - text_width(cell) + TABLE_GAP), "");
	}
	fputc('\n', out);
}

void table_print(const struct table *table, FILE *out)
{
	size_t *widths = calloc(table->columns, sizeof(*widths));

	if (!widths)
		return;
	for (size_t c = 0; c < table->columns; c++)
		widths[c] = column_width(table, c);
	for (size_t row = 0; row < table->n; row += table->columns)
		print_row(table, row, widths, out);
	free(widths);
}
