/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Columns of text, aligned by the width that a terminal gives each character. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stddef.h>
#include <stdio.h>

struct table;

/* NULL: out of memory. */
struct table *table_new(size_t columns);
void table_free(struct table *table);
void table_freep(struct table **table);

/*
 * The next cell, row by row; the text is copied, "" shows as "-", control characters and broken UTF-8 as '?'. 0 or
 * -ENOMEM.
 */
int table_add(struct table *table, const char *text);

/* Two blanks between columns, none behind the last. */
void table_print(const struct table *table, FILE *out);

/* Cells that `text` takes in a terminal (UTF-8). */
size_t text_width(const char *text);

#endif
