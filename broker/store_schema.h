/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tables, as steps that are only ever added to: step N takes a store of version N to version N + 1. */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#define STORE_VERSION 7

extern const char *const store_migrations[STORE_VERSION];

#endif
