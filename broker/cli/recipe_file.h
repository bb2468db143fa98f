/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where recipes are: beside build-image by name, or a file. */
#ifndef CLI_RECIPE_FILE_H
#define CLI_RECIPE_FILE_H

#include "common/error.h"

#include <linux/limits.h>
#include <stddef.h>

#define RECIPE_NAME_SIZE 256

struct recipe_file {
	char name[RECIPE_NAME_SIZE]; /* of a recipe beside build-image, or an absolute path */
	char directory[PATH_MAX];    /* that its paths are relative to */
	char *text;                  /* the caller's */
};

/* tools: the directory of build-image. Fills name and directory. */
int recipe_file_locate(const char *tools, const char *name, struct recipe_file *ret, struct error *err);

/* The same, and reads the text. */
int recipe_file_read(const char *tools, const char *name, struct recipe_file *ret, struct error *err);

/* Where build-image is: from the directory of this program. */
int recipe_tools(char *buffer, size_t size, struct error *err);

#endif
